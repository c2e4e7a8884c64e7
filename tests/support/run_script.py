"""`python -m tests.support.run_script CODE` is `python -c CODE`, for who can only name a module."""

import sys

exec(sys.argv[1])
