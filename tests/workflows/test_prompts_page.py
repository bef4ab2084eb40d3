"""The page on prompts holds: its table of signs, its pace of schedules, its commands and names of nodes."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from graphflow.app import App
from graphflow.cli import main
from graphflow.diffusion import Schedule, TimedPrompt, make_schedule, parse_prompt
from graphflow.diffusion.guidance import schedule_share
from graphflow.diffusion.prompt_syntax import Piece, Section
from graphflow.ports import NoiseSpec

PAGE = (Path(__file__).parents[2] / "docs" / "prompts.md").read_text("utf-8")
ROWS = re.findall(r"^\| `(.+)` \| (.+) \|$", PAGE.partition("`·` stands")[0], re.MULTILINE)


def shown(prompts: tuple[TimedPrompt, ...]) -> str:
    """A prompt as the table writes it."""
    *early, last = (" ‖ ".join(map(section_shown, prompt.sections)) for prompt in prompts)
    until = [f"until {prompt.end:g}: {text}" for prompt, text in zip(prompts, early, strict=False)]
    return "; ".join([*until, f"then: {last}" if until else last])


def section_shown(section: Section) -> str:
    return " · ".join(piece_shown(piece) for piece in section if piece.text.strip())


def piece_shown(piece: Piece) -> str:
    return re.sub(r"\s+", " ", piece.text.strip()) + (f" ×{piece.weight:.3g}" if piece.weight != 1 else "")


@pytest.mark.parametrize(("written", "meaning"), ROWS)
def test_each_row_of_the_table_holds(written: str, meaning: str) -> None:
    assert shown(parse_prompt(written)) == meaning


def test_the_table_is_there() -> None:
    assert len(ROWS) >= 12


@pytest.mark.parametrize("kind", ["normal", "karras"])
def test_schedules_go_at_the_pace_that_the_page_tells(kind: str) -> None:
    (row,) = re.findall(rf"^\| schedule `{kind}`[^|]*\| (.+) \|$", PAGE, re.MULTILINE)
    schedule: Schedule = make_schedule(NoiseSpec(), "dpmpp_2m", steps=20, kind=kind, spacing="leading")  # type: ignore[arg-type]
    shares = [schedule_share(timestep, NoiseSpec()) for timestep in schedule.timesteps]
    first = [next(step for step, at in enumerate(shares, 1) if at >= share) for share in (0.2, 0.4, 0.6, 0.8)]
    assert [int(number) for number in row.split("|")] == first


def test_every_node_that_is_named_exists(app: App) -> None:
    names = set(re.findall(r"core\.\w+", PAGE))
    assert len(names) > 12
    assert [name for name in sorted(names) if app.registry.schema(name) is None] == []


def test_the_commands_work(
    workflows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(workflows, tmp_path / "workflows")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRAPHFLOW_HOME", str(tmp_path / "home"))
    commands = re.findall(r"^graphflow run .*$", PAGE, re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        assert main([*shlex.split(command)[1:], "--set", "steps=2"]) == 0, capfd.readouterr().err
