"""A long, random and reproducible day of a box: see `python -m soak --help`."""
