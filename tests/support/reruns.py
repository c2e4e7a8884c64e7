"""A plugin of pytest: a run fails when too many of its tests needed their second try.

One test that is tried again is a busy machine. Several are tests, or an agent, that do not work reliably.
"""

from __future__ import annotations

from typing import Final

import pytest
from _pytest.terminal import TerminalReporter

RERUNS_LIMIT: Final = 3
"""Tests of one run that may need their second try: one in 1,000, for the moments in which a shared machine of CI stands
still."""
REASON_CHARACTERS: Final = 500
"""The end of a report that is shown where pytest names no line: a process of tests that has crashed."""


class TooManyReruns:
    """Registered by tests/conftest.py; without effect where no test is tried again."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None:  # a worker of pytest-xdist; the controller counts for all
            return
        if len(_tried_again(reporter)) > RERUNS_LIMIT and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        names = _tried_again(terminalreporter)
        if names:
            terminalreporter.section("why a second try was needed", sep="=")
        for report in terminalreporter.stats.get("rerun", ()):
            terminalreporter.line(f"{report.nodeid} ({report.when}): {_reason(report)}")
        if len(names) > RERUNS_LIMIT:
            terminalreporter.section("too many second tries", sep="=", red=True)
            terminalreporter.line(
                f"{len(names)} tests needed their second try, and {RERUNS_LIMIT} may. Make them reliable: "
                + ", ".join(names)
            )


def _reason(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return crash.message if crash is not None else report.longreprtext[-REASON_CHARACTERS:]


def _tried_again(reporter: TerminalReporter) -> list[str]:
    return sorted({report.nodeid for report in reporter.stats.get("rerun", ())})
