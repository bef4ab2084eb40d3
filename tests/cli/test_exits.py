"""Exit codes and what is told when a command cannot go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphflow.cli.exits import error_text, exit_code
from graphflow.errors import Finding, ModelNotFound, NodeFailed, RunCancelled, WorkflowError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (WorkflowError([Finding("wrong")]), 1),
        (ModelNotFound("no such model"), 1),
        (FileNotFoundError(2, "No such file or directory", "fox.png"), 1),
        (NodeFailed("sample", "core.ksampler", "out of luck"), 3),
        (ZeroDivisionError("division by zero"), 3),
        (RunCancelled(), 130),
        (KeyboardInterrupt(), 130),
    ],
)
def test_each_kind_of_error_has_its_code(error: BaseException, code: int) -> None:
    assert exit_code(error) == code


def test_errors_of_the_user_are_told_in_their_words(tmp_path: Path) -> None:
    assert error_text(ModelNotFound("no such model"), tmp_path) == "no such model"
    assert error_text(FileNotFoundError(2, "No such file", "fox.png"), tmp_path) == "fox.png: No such file"
    assert not list(tmp_path.iterdir())


def test_a_defect_leaves_a_report(tmp_path: Path) -> None:
    try:
        raise ZeroDivisionError("division by zero")
    except ZeroDivisionError as error:
        text = error_text(error, tmp_path)
    (report,) = (tmp_path / "logs").iterdir()
    assert "\n" not in text
    assert str(report) in text
    assert "ZeroDivisionError: division by zero" in report.read_text()
    assert "test_a_defect_leaves_a_report" in report.read_text()
