"""Upscalers through spandrel. It cannot be installed beside every torch, so a stand-in with the few names that graphflow uses is on the path here."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from graphflow.errors import ModelError, ModelMismatch, UnknownModelFormat
from graphflow.models.detect import detect
from graphflow.models.detectors import spandrel
from graphflow.models.loaders import load_part
from graphflow.ports.model import Upscaler

STAND_IN = """
import torch

class UnsupportedModelError(Exception): ...

class Architecture:
    name = "Stretch"

class ImageModelDescriptor:
    architecture, purpose = Architecture(), "SR"
    supports_half, supports_bfloat16 = False, True

    def __init__(self, state):
        out, self.input_channels = state["mix.weight"].shape[:2]
        self.output_channels, self.scale = out, 3
        self.model = torch.nn.Sequential()
        self.model.mix = torch.nn.Conv2d(self.input_channels, out, 1, bias=False)
        self.model.load_state_dict(state)

    def to(self, dtype):
        self.model.to(dtype)
        return self

    def __call__(self, image):
        return torch.nn.functional.interpolate(self.model.mix(image), scale_factor=self.scale).clamp(0, 1)

def canonicalize_state_dict(state):
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}

class ModelLoader:
    def __init__(self, device): ...

    def load_from_state_dict(self, state):
        if "mix.weight" not in state:
            raise UnsupportedModelError
        return ImageModelDescriptor(state)
"""


@pytest.fixture(autouse=True)
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    loader = "graphflow.models.loaders.spandrel"
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "spandrel.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setattr(spandrel, "_NEEDED", ("spandrel",))
    for name in ("spandrel", loader):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield
    for name in ("spandrel", loader):
        sys.modules.pop(name, None)


def written(folder: Path, **tensors: torch.Tensor) -> Path:
    save_file({name.replace("__", "."): tensor for name, tensor in tensors.items()}, folder / "other.safetensors")
    return folder / "other.safetensors"


def swap() -> torch.Tensor:
    """Weights that swap red and blue."""
    return torch.eye(3).flip(0).view(3, 3, 1, 1).contiguous()


@pytest.mark.parametrize("name", ["mix__weight", "module__mix__weight"])
def test_what_spandrel_knows_is_described_and_loaded(tmp_path: Path, name: str) -> None:
    found = detect(written(tmp_path, **{name: swap()}))
    recipe = found.parts["upscaler"].recipe
    assert isinstance(recipe, Upscaler)
    assert (recipe.family, recipe.scale) == ("spandrel", 3)
    assert found.parts["upscaler"].config == {"architecture": "Stretch"}
    network = load_part(found, "upscaler", dtype=torch.float32, device=torch.device("cpu"))
    made = network(torch.tensor([1.0, 0.5, 0.0]).view(1, 3, 1, 1))
    assert made.shape == (1, 3, 3, 3)
    assert made[0, :, 1, 1].tolist() == [0, 0.5, 1]
    assert not any(weight.requires_grad for weight in network.parameters())


def test_a_precision_that_the_architecture_lacks_becomes_fp32(tmp_path: Path) -> None:
    found = detect(written(tmp_path, mix__weight=swap()))
    for asked, given in ((torch.float16, torch.float32), (torch.bfloat16, torch.bfloat16)):
        network = load_part(found, "upscaler", dtype=asked, device=torch.device("cpu"))
        assert next(network.parameters()).dtype == given


def test_what_spandrel_does_not_know_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(UnknownModelFormat) as refused:
        detect(written(tmp_path, some__weight=torch.zeros(1)))
    assert "pip install" not in str(refused.value)


def test_models_for_other_things_than_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UnknownModelFormat, match="a Stretch model for SR; graphflow upscales pictures of three colours"
    ):
        detect(written(tmp_path, mix__weight=torch.zeros(1, 1, 1, 1)))


def test_weights_that_do_not_fit_or_are_no_numbers_are_told(tmp_path: Path) -> None:
    with pytest.raises(ModelMismatch, match="looks like an upscaler that spandrel knows, but its weights do not fit"):
        detect(written(tmp_path, mix__weight=swap(), extra=torch.zeros(1)))
    found = detect(written(tmp_path, mix__weight=swap() * torch.nan))
    with pytest.raises(ModelError, match=r"not finite .*: mix.weight"):
        load_part(found, "upscaler", dtype=torch.float32, device=torch.device("cpu"))
