"""Settings from the environment and from a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphflow.settings import Settings, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [("12GiB", 12 * 2**30), ("500 MB", 500 * 10**6), ("4096", 4096), ("1.5k", 1536), ("2tb", 2 * 10**12), (7, 7)],
)
def test_sizes_have_units(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "many", "12 bananas", "-5", -5, "1e3"])
def test_other_sizes_are_refused_with_an_example(text: str | int) -> None:
    with pytest.raises(ValueError, match="such as 12GiB"):
        parse_size(text)


def test_the_environment_comes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "graphflow.toml").write_text('device = "cpu"\nvram = "2GiB"\n')
    monkeypatch.delenv("GRAPHFLOW_DEVICE", raising=False)
    monkeypatch.setenv("GRAPHFLOW_VRAM", "3GiB")
    settings = Settings()
    assert (settings.device, settings.vram) == ("cpu", 3 * 2**30)
    assert Settings(vram="1GiB").vram == 2**30  # type: ignore[arg-type]


def test_everything_lies_in_the_home_folder(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert settings.database_url == f"sqlite:///{tmp_path / 'graphflow.db'}"
    folders = (settings.cache_folder, settings.artifacts_folder, settings.inputs_folder, settings.models_folder)
    assert [folder.parent for folder in folders] == [tmp_path] * 4
