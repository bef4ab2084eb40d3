"""The check of sd15/lora_formats: one LoRA in seven files, through the store that nodes use."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from graphflow.models.catalog import ModelCatalog
from graphflow.models.fingerprint import Fingerprints
from graphflow.models.headers import read_headers
from graphflow.models.store import ModelStore
from graphflow.ports import LoraPatch, ModelRecipe
from tests.parity.cases import Case, Comparison

PARTS = ("unet", "text_encoder")


def lora_formats(case: Case, comparison: Comparison) -> None:
    """Every file gives the case's tensors for what it says of alpha, and the base is as before to the bit."""
    with tempfile.TemporaryDirectory() as folder:
        formats = _Formats(case, Path(folder))
        before = {part: formats.weights(part) for part in PARTS}
        comparison.tensor("unet_base", formats.output("unet"))
        comparison.tensor("text_base", formats.output("text_encoder"))
        for lora in formats.files:
            _compare_file(comparison, formats, lora, knows_alpha=formats.knows_alpha(lora))
            if not formats.knows_alpha(lora):
                _compare_file(comparison, formats, formats.with_configuration(lora), knows_alpha=True)
        complete = next(lora for lora in formats.files if formats.knows_alpha(lora))
        comparison.tensor("unet_lora_weight05", formats.output("unet", complete, 0.5))
        _compare_merged(comparison, formats, complete)
        for part in PARTS:
            for name, weight in formats.weights(part).items():
                comparison.equal(f"{part}.{name} afterwards", weight, before[part][name])


class _Formats:
    """The case's model and files."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.case, self.folder = case, folder
        catalog = ModelCatalog(folder / "zoo", folder / "models", allow_download=False, hub_cache=folder / "hub")
        self.store = ModelStore(catalog, Fingerprints(), device="cpu", precision="fp32")
        model = (case.path / case.config["components_from"]).resolve()
        self.recipes = self.store.inspect(str(model)).parts

    @property
    def files(self) -> list[Path]:
        return sorted(self.case.path.glob("lora_*.safetensors"))

    def knows_alpha(self, lora: Path) -> bool:
        """Whether the file says its alpha; otherwise it is the rank, unless a configuration beside the file says another."""
        headers = read_headers(lora)
        return "lora_adapter_metadata" in headers.metadata or any(name.endswith(".alpha") for name in headers.tensors)

    def with_configuration(self, lora: Path) -> Path:
        """The file where the trainer's configuration lies beside it: a PEFT folder, or graphflow's own form for two networks."""
        folder = self.folder / lora.stem
        folder.mkdir()
        configs = {
            part: {"r": self.case.config[part]["rank"], "lora_alpha": self.case.config[part]["alpha"]} for part in PARTS
        }
        if all(name.startswith("base_model.") for name in read_headers(lora).tensors):
            shutil.copy(lora, folder / "adapter_model.safetensors")
            (folder / "adapter_config.json").write_text(json.dumps(configs["unet"]))
            return folder
        path = folder / lora.name
        shutil.copy(lora, path)
        path.with_name(path.name + ".json").write_text(json.dumps(configs))
        return path

    def parts(self, lora: Path) -> tuple[str, ...]:
        return self.store.inspect_adapter(str(lora), [self.recipes[part] for part in PARTS]).parts

    @contextmanager
    def network(self, part: str, lora: Path | None = None, strength: float = 1.0) -> Iterator[Any]:
        recipe: ModelRecipe = self.recipes[part]
        if lora is not None:
            adapter = self.store.inspect_adapter(str(lora), [recipe])
            recipe = recipe.patched(LoraPatch(adapter.file, adapter.fingerprint, strength, part))
        with self.store.use(recipe) as module, torch.no_grad():
            yield module

    def output(self, part: str, lora: Path | None = None, strength: float = 1.0) -> Tensor:
        inputs = self.case.inputs
        with self.network(part, lora, strength) as module:
            result: Tensor
            if part == "unet":
                result = module(inputs["sample"], inputs["timestep"], inputs["encoder_hidden_states"]).sample
            else:
                result = module(inputs["input_ids"]).last_hidden_state
            return result

    def weights(self, part: str) -> dict[str, Tensor]:
        with self.network(part) as module:
            network: nn.Module = module
            return {name: weight.clone() for name, weight in network.state_dict().items()}


def _compare_file(comparison: Comparison, formats: _Formats, lora: Path, *, knows_alpha: bool) -> None:
    expected = {"unet": "unet_lora", "text_encoder": "text_lora"}
    parts = formats.parts(lora)
    comparison.equal(f"{lora.name} changes the unet", "unet" in parts, True)
    for part in parts:
        name = expected[part] + ("_attn_only" if "attn_only" in lora.name else "")
        name += "" if knows_alpha else "_alpha_eq_rank"
        if not comparison.expects(name):
            continue
        result = formats.output(part, lora)
        if name in comparison.compared:
            comparison.equal(f"{lora.name} gives {name}", _is_close(comparison, result, name), True)
        else:
            comparison.tensor(name, result)


def _compare_merged(comparison: Comparison, formats: _Formats, lora: Path) -> None:
    with formats.network("unet", lora) as unet:
        for name in sorted(comparison.case.expected):
            if name.startswith("merged."):
                comparison.tensor(name, unet.get_parameter(name.removeprefix("merged.")).clone())


def _is_close(comparison: Comparison, actual: Tensor, name: str) -> bool:
    expected = comparison.case.expected[name].double()
    limit = comparison.tolerance * max(1.0, float(expected.square().mean().sqrt()))
    return float((actual.double() - expected).abs().max()) <= limit
