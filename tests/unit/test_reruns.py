"""A run of CI with too many second tries."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.reruns import RERUNS_LIMIT
from tests.unit.test_layers import ROOT

FLAKY = """
import pathlib, pytest

@pytest.mark.parametrize("number", range({tests}))
def test_second_try(number, request):
    mark = pathlib.Path(request.path).with_name(f"tried-{{number}}")
    tried = mark.exists()
    mark.touch()
    assert tried
"""
CONFTEST = """
from tests.support.reruns import TooManyReruns

def pytest_configure(config):
    config.pluginmanager.register(TooManyReruns())
"""


@pytest.mark.parametrize(("tests", "status"), [(RERUNS_LIMIT, 0), (RERUNS_LIMIT + 1, 1)])
def test_a_run_with_too_many_second_tries_fails(tmp_path: Path, tests: int, status: int) -> None:
    """The run fails even if several workers share the tests, as in CI, and it names the tests."""
    (tmp_path / "test_flaky.py").write_text(FLAKY.format(tests=tests))
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "--rootdir", str(tmp_path), "-p", "xdist", "-p", "pytest_rerunfailures"]
    command += ["-p", "no:cacheprovider", "--reruns", "1", "-n", "2", str(tmp_path)]
    environ = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # the others take seconds to load
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    assert done.stdout.count("(call): assert False") == tests
    assert f"{tests} passed, {tests} rerun" in done.stdout
    assert (f"{tests} tests needed their second try" in done.stdout) == (status == 1)
