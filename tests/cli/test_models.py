"""`graphflow models`."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def write_safetensors(path: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    """A safetensors file of zeros."""
    header, size = {}, 0
    for name, shape in shapes.items():
        count = 4
        for side in shape:
            count *= side
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [size, size + count]}
        size += count
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(size))


@pytest.fixture
def adapter(home: Path) -> Path:
    path = Path("glow.safetensors")
    write_safetensors(path, {"glow.weight": (4, 4)})
    return path


def test_added_models_are_listed_under_their_name(graphflow: Callable[..., Any], adapter: Path, home: Path) -> None:
    done = graphflow("models", "add", adapter, "--kind", "loras")
    assert done.code == 0
    assert done.lines == [str(home / "models" / "loras" / "glow.safetensors")]
    found = json.loads(graphflow("models", "list", "loras", "--json").out)
    (listed,) = (each for each in found if each["source"] == "models")
    assert (listed["name"], listed["kind"], listed["bytes"]) == ("glow.safetensors", "loras", adapter.stat().st_size)
    assert "glow.safetensors" in graphflow("models", "list").out
    again = graphflow("models", "add", adapter, "--kind", "loras")
    assert again.code == 1
    assert "there already" in again.err


def test_adding_a_lora_says_what_it_changes(graphflow: Callable[..., Any], home: Path) -> None:
    names = {f"unet.conv_in.lora_{side}.weight": (4, 4) for side in "AB"}
    write_safetensors(Path("style.safetensors"), names)
    assert "a LoRA that changes the unet" in graphflow("models", "add", "style.safetensors", "--kind", "loras").err
    write_safetensors(Path("half.safetensors"), dict([*names.items()][:1]))
    refused = graphflow("models", "add", "half.safetensors", "--kind", "loras")
    assert refused.code == 1
    assert "lacks tensors" in refused.err
    assert not (home / "models" / "loras" / "half.safetensors").exists()


def test_a_lora_is_shown_with_what_it_changes(graphflow: Callable[..., Any], home: Path) -> None:
    write_safetensors(Path("style.safetensors"), {f"unet.conv_in.lora_{side}.weight": (4, 4) for side in "AB"})
    assert "a LoRA; layers that it changes: unet 1" in graphflow("models", "inspect", "./style.safetensors").out
    (shown,) = graphflow("models", "inspect", "./style.safetensors", "--json").events
    assert (shown["kind"], shown["layers"]) == ("loras", {"unet": 1})


def test_a_model_goes_where_its_kind_belongs_unless_told(graphflow: Callable[..., Any], home: Path) -> None:
    write_safetensors(Path("style.safetensors"), {f"unet.conv_in.lora_{side}.weight": (4, 4) for side in "AB"})
    assert graphflow("models", "add", "style.safetensors").lines == [
        str(home / "models" / "loras" / "style.safetensors")
    ]
    write_safetensors(Path("other.safetensors"), {"glow.weight": (4, 4)})
    assert graphflow("models", "add", "other.safetensors").lines == [
        str(home / "models" / "checkpoints" / "other.safetensors")
    ]


def test_a_linked_model_is_not_copied(graphflow: Callable[..., Any], adapter: Path, home: Path) -> None:
    assert graphflow("models", "add", adapter, "--kind", "loras", "--link").code == 0
    assert (home / "models" / "loras" / "glow.safetensors").resolve() == adapter.resolve()


def test_damaged_and_missing_models_are_refused(graphflow: Callable[..., Any], home: Path) -> None:
    Path("damaged.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0garbage!")
    done = graphflow("models", "add", "damaged.safetensors")
    assert done.code == 1
    assert "damaged.safetensors" in done.err
    assert not (home / "models").exists()
    assert graphflow("models", "add", "nowhere.safetensors").code == 1


@pytest.mark.parametrize("kind", ["../loras", "/loras"])
def test_kinds_do_not_lead_out_of_the_models_folder(graphflow: Callable[..., Any], adapter: Path, kind: str) -> None:
    assert graphflow("models", "add", adapter, "--kind", kind).code == 2


def test_inspecting_an_unknown_family_says_what_is_inside(graphflow: Callable[..., Any], adapter: Path) -> None:
    done = graphflow("models", "inspect", adapter)
    assert done.code == 1
    assert "glow.weight" in done.err
    assert "Traceback" not in done.err


def test_a_name_that_is_nowhere_tells_where_it_was_looked_for(graphflow: Callable[..., Any], home: Path) -> None:
    done = graphflow("models", "inspect", "nowhere")
    assert done.code == 1
    assert str(home / "models") in done.err
