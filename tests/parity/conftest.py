from __future__ import annotations

import pytest

from tests.parity.cases import find_cases, parity_folder
from tests.parity.dispatch import is_listed
from tests.parity.not_implemented import NOT_IMPLEMENTED

COMPARED = pytest.StashKey[dict[str, str]]()
"""What was compared, by case."""


def pytest_configure(config: pytest.Config) -> None:
    config.stash[COMPARED] = {}


@pytest.fixture
def compared(request: pytest.FixtureRequest) -> dict[str, str]:
    """Lines for the report at the end of the test run, by case."""
    return request.config.stash.setdefault(COMPARED, {})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was compared; or that there was nothing to compare with."""
    lines = [f"{case}: {line}" for case, line in config.stash.get(COMPARED, {}).items()]
    folder = parity_folder()
    cases = find_cases(folder) if folder.is_dir() else []
    waiting = [case for case in cases if is_listed(case, NOT_IMPLEMENTED)]
    if not cases:
        lines.append(f"skipped: no case.md under {folder}; set GRAPHFLOW_PARITY to a folder of parity cases")
    elif waiting:
        lines.append(f"{len(waiting)} of {len(cases)} cases are not implemented yet (tests/parity/not_implemented.py):")
        lines.append("  " + ", ".join(case.id for case in waiting))
    terminalreporter.section("parity")
    for line in lines:
        terminalreporter.write_line(line)
