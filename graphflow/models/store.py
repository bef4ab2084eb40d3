"""The model service of a process: describes model files, and hands networks out on the device. Imports torch on first use."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphflow.authoring.context import Adapter, Checkpoint
from graphflow.errors import ModelError, ModelMismatch, ModelNotFound
from graphflow.models.catalog import ModelCatalog
from graphflow.models.description import ModelDescription
from graphflow.models.detect import detect
from graphflow.models.devices import (
    WeightPrecision,
    device_index,
    device_kind,
    memory_of,
    pick_device,
    torch_dtype,
    wants_channels_last,
    weight_precision,
)
from graphflow.models.fingerprint import Fingerprints
from graphflow.models.headers import BYTES_PER_ELEMENT
from graphflow.models.placement import BudgetedPlacement, Placement, default_budget
from graphflow.models.tokenizers import load_tokenizer
from graphflow.ports.model import ControlNet, Denoiser, ModelRecipe, Patch, Precision, TextEncoder
from graphflow.ports.speed import AttentionBackend, AttentionPatch

if TYPE_CHECKING:
    import torch

    from graphflow.models.patches import PatchRegistry
    from graphflow.models.residency import Residency, Wanted

_log = logging.getLogger(__name__)

_BYTES: dict[WeightPrecision, int] = {
    "fp32": BYTES_PER_ELEMENT["F32"],
    "bf16": BYTES_PER_ELEMENT["BF16"],
    "fp16": BYTES_PER_ELEMENT["F16"],
}


@dataclass(frozen=True)
class ResidentModel:
    """A network in the device's memory, for reports."""

    key: str
    bytes: int
    in_use: bool


class ModelStore:
    """The `ModelService` of nodes.

    A network is kept by file content, part and precision: all recipes of the same weights share it, whatever their patches.
    Safe in threads; one thread at a time uses networks, and uses may nest within it.
    """

    def __init__(
        self,
        catalog: ModelCatalog,
        fingerprints: Fingerprints,
        *,
        device: str = "auto",
        precision: Precision = "auto",
        budget: int | None = None,
        placement: Placement | None = None,
        patches: PatchRegistry | None = None,
        attention: AttentionBackend = "sdpa",
    ) -> None:
        """`device`, `precision` and `attention` as in the settings; `budget` in bytes, None for what the device has."""
        self.catalog = catalog
        self.fingerprints = fingerprints
        self._state = _State(device, precision, budget, placement, patches, attention)

    def relative_to(self, folder: Path) -> ModelStore:
        """The same store, networks included, for a workflow in this folder: relative paths start there."""
        view = ModelStore.__new__(ModelStore)
        view.catalog, view.fingerprints, view._state = self.catalog.relative_to(folder), self.fingerprints, self._state
        return view

    @property
    def device(self) -> torch.device:
        """The torch device of this store. Raises ModelError if it is not there."""
        return self._state.residency().device

    def inspect(self, file: str, kind: str = "checkpoints") -> Checkpoint:
        """Family and parts of a model file, from its headers; reads no weights. Raises ModelError."""
        path = self.catalog.resolve(file, kind)
        fingerprint = self.fingerprints.of_model(path)
        description = self._state.described(path, fingerprint)
        self._state.paths[file, fingerprint] = path
        recipes = {
            name: replace(part.recipe, file=file, fingerprint=fingerprint) for name, part in description.parts.items()
        }
        return Checkpoint(file, description.family, description.layout, recipes)

    def inspect_adapter(self, file: str, bases: Sequence[ModelRecipe] = (), kind: str = "loras") -> Adapter:
        """What a LoRA file changes, from its headers; of the kind `embeddings`, the text encoders that a learned word fits.

        Raises ModelError for a file that is missing, damaged or of another kind, ModelMismatch if it does not fit the models in `bases`.
        """
        path = self.catalog.resolve(file, kind)
        fingerprint = self.fingerprints.of_model(path)
        described = [(base, self.describe(base)) for base in bases]
        parts = _word_parts(path, described) if kind == "embeddings" else _lora_parts(path, described)
        self._state.paths[file, fingerprint] = path
        return Adapter(file, fingerprint, parts)

    @contextmanager
    def use(self, recipe: ModelRecipe) -> Iterator[Any]:
        """The recipe's network on the device, patched, in eval mode, for the block; its weights are as before afterwards.

        Raises ModelError if the file behind the name is not the one that the recipe was made from, OutOfMemory if the network
        does not fit even alone or if the block runs out of memory.
        """
        wanted = self._wanted(recipe)
        with self._state.residency().use(wanted, self._state.patches_of(recipe), self) as module:
            yield module

    def tokenizer(self, recipe: TextEncoder) -> Any:
        """The `transformers` tokenizer that belongs to a text encoder. Raises ModelError."""
        description = self.describe(recipe)
        part = description.parts.get(recipe.part)
        if part is None:
            raise ModelMismatch(
                f"{description.path} holds no {recipe.part}; it holds {', '.join(sorted(description.parts))}"
            )
        return load_tokenizer(
            description, vocabulary=int(part.config["vocab_size"]), catalog=self.catalog, part=recipe.part
        )

    def describe(self, recipe: ModelRecipe) -> ModelDescription:
        """What the recipe's file is, from its headers. Raises ModelError if the file is missing or has changed."""
        path = self.path(recipe.file, recipe.fingerprint, None)
        return self._state.described(path, recipe.fingerprint)

    def path(self, file: str, fingerprint: str, kind: str | None) -> Path:
        """The file or folder with this name and content. Raises ModelError if it is missing or has changed."""
        seen: list[Path] = []
        for path in self._candidates(file, fingerprint, kind):
            if path not in seen:
                seen.append(path)
                if self.fingerprints.of_model(path) == fingerprint:
                    self._state.paths[file, fingerprint] = path
                    return path
        raise ModelError(
            f'the model "{file}" ({seen[0]}) has changed since it was looked at: its content is another one now. Run the workflow again.'
        )

    def _candidates(self, file: str, fingerprint: str, kind: str | None) -> Iterator[Path]:
        """Where the file may be: where it was seen, then wherever the catalogue finds it. Raises ModelNotFound if nowhere."""
        known = self._state.paths.get((file, fingerprint))
        found = False
        if known is not None and known.exists():
            found = True
            yield known
        for path in self.catalog.candidates(file, kind):
            found = True
            yield path
        try:
            yield self.catalog.resolve(file, kind)
        except ModelNotFound:
            if not found:
                raise

    def resident(self) -> list[ResidentModel]:
        """Networks in the device's memory now, without waiting for those in use."""
        return self._state.resident()

    def unload_all(self) -> None:
        """Drop every network that is not in use."""
        self._state.unload_all()

    def _wanted(self, recipe: ModelRecipe) -> Wanted:
        from graphflow.models.loaders import load_part
        from graphflow.models.residency import Wanted

        description = self.describe(recipe)
        precision = self._state.precision_of(recipe)
        part = description.parts.get(recipe.part)
        if part is None:
            raise ModelMismatch(
                f"{description.path} holds no {recipe.part}; it holds {', '.join(sorted(description.parts))}"
            )
        device = self.device
        return Wanted(
            key=f"{recipe.fingerprint}/{recipe.part}/{precision}",
            title=f"the {recipe.part} of {recipe.file}",
            bytes=part.elements * _BYTES[precision],
            single_pass=not isinstance(recipe, Denoiser | ControlNet),
            load=lambda: load_part(
                description,
                recipe.part,
                dtype=torch_dtype(precision),
                device=device,
                channels_last=wants_channels_last(device_kind(device.type), precision),
            ),
        )


def _lora_parts(path: Path, bases: Sequence[tuple[ModelRecipe, ModelDescription]]) -> tuple[str, ...]:
    from graphflow.models.lora.adapter import read_lora
    from graphflow.models.lora.targets import check_fits

    lora = read_lora(path)
    check_fits(lora, bases)
    return lora.parts


def _word_parts(path: Path, bases: Sequence[tuple[ModelRecipe, ModelDescription]]) -> tuple[str, ...]:
    from graphflow.models.textual_inversion import fitting_parts

    return fitting_parts(path, bases)


class _State:
    """What all views of a store share."""

    def __init__(
        self,
        device: str,
        precision: Precision,
        budget: int | None,
        placement: Placement | None,
        patches: PatchRegistry | None,
        attention: AttentionBackend,
    ) -> None:
        self.paths: dict[tuple[str, str], Path] = {}
        self._setting = device
        self._precision = precision
        self._budget = budget
        self._placement = placement
        self._patches = patches
        self._attention = attention
        self._residency: Residency | None = None
        self._descriptions: dict[tuple[Path, str], ModelDescription] = {}
        self._warned: set[str] = set()
        self._lock = threading.Lock()

    def residency(self) -> Residency:
        """The networks on the device, which is looked for on first use. Raises ModelError if it is not there."""
        with self._lock:
            if self._residency is None:
                from graphflow.models.appliers import PATCHES
                from graphflow.models.residency import Residency

                device = pick_device(self._setting)
                budget = self._budget
                if budget is None:
                    budget = default_budget(memory_of(device), is_host=device.type != "cuda")
                self._residency = Residency(
                    device, self._placement or BudgetedPlacement(budget), self._patches or PATCHES
                )
            return self._residency

    def described(self, path: Path, fingerprint: str) -> ModelDescription:
        """The description of a file's content, read once."""
        if (path, fingerprint) not in self._descriptions:
            self._descriptions[path, fingerprint] = detect(path)
        return self._descriptions[path, fingerprint]

    def precision_of(self, recipe: ModelRecipe) -> WeightPrecision:
        """The recipe's precision, else the setting's, else what is right for the device."""
        asked: Precision = recipe.precision if recipe.precision != "auto" else self._precision
        kind = device_kind(self._setting)
        precision = weight_precision(asked, kind, recipe.part, index=device_index(self._setting))
        if kind == "cpu" and precision == "fp16" and recipe.file not in self._warned:
            self._warned.add(recipe.file)
            _log.warning(
                "%s was asked for in fp16, which is hundreds of times slower than bf16 or fp32 on a CPU", recipe.file
            )
        return precision

    def patches_of(self, recipe: ModelRecipe) -> tuple[Patch, ...]:
        """The recipe's patches; a denoiser that chooses no attention backend gets the setting's."""
        chosen = any(isinstance(patch, AttentionPatch) for patch in recipe.patches)
        if self._attention == "sdpa" or chosen or not isinstance(recipe, Denoiser):
            return recipe.patches
        return (AttentionPatch(self._attention), *recipe.patches)

    def resident(self) -> list[ResidentModel]:
        if self._residency is None:
            return []
        return [ResidentModel(each.key, each.bytes, each.in_use) for each in self._residency.residents()]

    def unload_all(self) -> None:
        if self._residency is not None:
            self._residency.free_unused()
