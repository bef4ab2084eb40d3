"""Patches on networks: applied when a network is handed out, undone exactly when it comes back.

Each kind of patch is a subclass of `graphflow.ports.Patch` and an applier, registered here:

    @PATCHES.applier(MyPatch)
    def apply_my_patch(module: nn.Module, patch: MyPatch, files: PatchFiles) -> Undo:
        ...
        return undo

An undo leaves every weight, buffer and submodule bit-equal to what it was. Patches that must be combined before they touch a weight, so that
it is rounded once, register with `PATCHES.joint_applier`: the function gets all of its kind at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from graphflow.errors import ModelError, ModelMismatch
from graphflow.models.packing import dense, packed
from graphflow.ports.model import Patch

P = TypeVar("P", bound=Patch)

Undo = Callable[[], None]


class PatchFiles(Protocol):
    """Where appliers find the files that patches name."""

    def path(self, file: str, fingerprint: str, kind: str) -> Path:
        """The file with this name and content. Raises ModelError if it is missing or has changed."""


Applier = Callable[[nn.Module, P, PatchFiles], Undo]
JointApplier = Callable[[nn.Module, Sequence[P], PatchFiles], Undo]


class PatchRegistry:
    """Appliers by type of patch; a patch whose type has none is applied as its base type."""

    def __init__(self) -> None:
        self._appliers: dict[type[Patch], Applier[Any]] = {}  # each takes its own subclass
        self._joint: dict[type[Patch], JointApplier[Any]] = {}
        self._last: set[type[Patch]] = set()

    def applier(self, patch_type: type[P], *, last: bool = False) -> Callable[[Applier[P]], Applier[P]]:
        """Register the decorated function for a type of patch; `last` applies it after all others, on weights that are final."""

        def register(function: Applier[P]) -> Applier[P]:
            self._appliers[patch_type] = function
            if last:
                self._last.add(patch_type)
            return function

        return register

    def joint_applier(self, patch_type: type[P]) -> Callable[[JointApplier[P]], JointApplier[P]]:
        """Register the decorated function for all patches of a type on one network, applied at the place of the first."""

        def register(function: JointApplier[P]) -> JointApplier[P]:
            self._joint[patch_type] = function
            return function

        return register

    def apply(self, module: nn.Module, patches: Sequence[Patch], files: PatchFiles) -> Undo:
        """Apply patches in order; the result undoes them all, last first.

        If one fails, those before it are undone and its error is raised.
        """
        with ExitStack() as undos, torch.inference_mode(False), torch.no_grad():
            for patch_type, group in self._grouped(patches):
                if patch_type in self._joint:
                    undos.callback(self._joint[patch_type](module, group, files))
                else:
                    undos.callback(self._appliers[patch_type](module, group[0], files))
            return undos.pop_all().close

    def _grouped(self, patches: Sequence[Patch]) -> list[tuple[type[Patch], list[Patch]]]:
        """Patches by registered type in order, late ones at the end; those that are applied jointly stand together, all others alone."""
        groups: list[tuple[type[Patch], list[Patch]]] = []
        for patch in patches:
            patch_type = self._registered(patch)
            joined = next((group for kind, group in groups if kind is patch_type and kind in self._joint), None)
            if joined is None:
                groups.append((patch_type, [patch]))
            else:
                joined.append(patch)
        return sorted(groups, key=lambda group: group[0] in self._last)

    def _registered(self, patch: Patch) -> type[Patch]:
        for patch_type in type(patch).__mro__:
            if patch_type in self._appliers or patch_type in self._joint:
                return patch_type
        known = ", ".join(sorted(known.__name__ for known in (*self._appliers, *self._joint))) or "none"
        raise ModelError(
            f"nothing here applies a {type(patch).__name__}; registered are: {known}. "
            "The pack that brings the patch must register its applier."
        )


PATCHES = PatchRegistry()
"""The appliers of this process."""


def add_to_weights(module: nn.Module, deltas: Iterable[tuple[str, Tensor]]) -> Undo:
    """Add a delta to each named weight, summed in float32; the undo puts the untouched weights back.

    Raises ModelMismatch for a weight that is missing or of another shape; nothing is changed then.
    """
    return replace_weights(module, ((name, _sum(module, name, delta)) for name, delta in deltas))


def replace_weights(module: nn.Module, weights: Iterable[tuple[str, Tensor]]) -> Undo:
    """Put tensors in the place of named weights; the undo puts the former ones back.

    Those are set aside, not changed, so undoing loses no bit, and weights mapped from a file stay mapped.
    Raises ModelMismatch for a weight that is missing or of another shape; nothing is changed then.
    """
    originals: list[tuple[nn.Parameter, Tensor]] = []

    def undo() -> None:
        while originals:
            parameter, weight = originals.pop()
            parameter.data = weight

    try:
        for name, weight in weights:
            parameter = _weight(module, name, weight)
            originals.append((parameter, parameter.data))
            parameter.data = packed(weight) if parameter.is_mkldnn else weight
    except BaseException:
        undo()
        raise
    return undo


def _sum(module: nn.Module, name: str, delta: Tensor) -> Tensor:
    weight = dense(_weight(module, name, delta).data)
    return (weight.float() + delta.to(weight.device).float()).to(weight.dtype)


def _weight(module: nn.Module, name: str, change: Tensor) -> nn.Parameter:
    try:
        parameter = module.get_parameter(name)
    except AttributeError as error:
        raise ModelMismatch(
            f'the patch changes "{name}", which the network does not have; it is made for another model'
        ) from error
    if parameter.shape != change.shape:
        raise ModelMismatch(
            f'the patch changes "{name}" by {list(change.shape)}, but the weight is {list(parameter.shape)}; '
            "it is made for a model of another size"
        )
    return parameter
