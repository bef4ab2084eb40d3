"""The registry of patches and exact undoing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import nn

from graphflow.errors import ModelError, ModelMismatch
from graphflow.models.patches import PatchFiles, PatchRegistry, Undo, add_to_weights
from graphflow.ports import Patch


class NoFiles:
    """Patches of these tests bring no files."""

    def path(self, file: str, fingerprint: str, kind: str) -> Path:
        raise ModelError(f"no file {file}")


@dataclass(frozen=True)
class Swap(Patch):
    """Replaces a module."""


@dataclass(frozen=True)
class FastSwap(Swap):
    """A kind of swap without an applier of its own."""


@pytest.fixture
def registry() -> PatchRegistry:
    registry = PatchRegistry()

    @registry.applier(Swap)
    def swap(module: nn.Module, patch: Swap, files: PatchFiles) -> Undo:
        before = module.get_submodule("0")
        module.register_module("0", nn.Identity())
        return lambda: module.register_module("0", before)

    return registry


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 2), nn.ReLU()).to(torch.bfloat16).requires_grad_(False)


def test_a_patch_may_change_modules_and_its_subclasses_apply_alike(registry: PatchRegistry) -> None:
    module = network()
    before = module.get_submodule("0")
    undo = registry.apply(module, [FastSwap()], NoFiles())
    assert isinstance(module.get_submodule("0"), nn.Identity)
    undo()
    assert module.get_submodule("0") is before


def test_an_unregistered_patch_is_named(registry: PatchRegistry) -> None:
    @dataclass(frozen=True)
    class Unheard(Patch):
        pass

    module = network()
    with pytest.raises(ModelError, match=r"nothing here applies a Unheard; registered are: Swap"):
        registry.apply(module, [Swap(), Unheard()], NoFiles())
    assert isinstance(module.get_submodule("0"), nn.Linear)


def test_deltas_are_summed_in_float32_and_undone_to_the_bit_in_bf16() -> None:
    module = network()
    before = module.get_parameter("0.weight").clone()
    delta = torch.full((2, 3), 1e-3)
    undo = add_to_weights(module, [("0.weight", delta), ("0.weight", delta)])
    once = (before.float() + delta).to(torch.bfloat16)
    assert torch.equal(module.get_parameter("0.weight"), (once.float() + delta).to(torch.bfloat16))
    undo()
    assert torch.equal(module.get_parameter("0.weight"), before)


@pytest.mark.parametrize(
    ("name", "shape", "message"), [("0.weight", (3, 2), "another size"), ("7.weight", (2, 3), "another model")]
)
def test_a_delta_for_another_network_changes_nothing(name: str, shape: tuple[int, ...], message: str) -> None:
    module = network()
    before = module.get_parameter("0.bias").clone()
    with pytest.raises(ModelMismatch, match=message):
        add_to_weights(module, [("0.bias", torch.ones(2)), (name, torch.ones(shape))])
    assert torch.equal(module.get_parameter("0.bias"), before)
