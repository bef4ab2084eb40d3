"""What graphflow writes, graphflow and diffusers read with the true alpha."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.loaders import StableDiffusionLoraLoaderMixin
from safetensors.torch import save_file
from torch import Tensor

from graphflow.errors import ModelMismatch
from graphflow.models.lora.adapter import read_lora
from graphflow.models.lora.export import Layers, LowRank, to_diffusers, to_kohya, to_peft
from graphflow.models.store import ModelStore
from graphflow.ports import LoraPatch

QUERY = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
CONV = "down_blocks.0.resnets.0.conv1"
TEXT = "encoder.layers.0.self_attn.q_proj"


@pytest.fixture
def layers() -> Layers:
    torch.manual_seed(3)
    return {
        "unet": {
            QUERY: LowRank(torch.randn(4, 32), torch.randn(32, 4), alpha=1.0),
            QUERY.replace("to_q", "to_k"): LowRank(torch.randn(4, 32), torch.randn(32, 4), alpha=1.0),
            CONV: LowRank(torch.randn(2, 32, 3, 3), torch.randn(32, 2, 1, 1), alpha=6.0),
        },
        "text_encoder": {TEXT: LowRank(torch.randn(3, 64), torch.randn(64, 3), alpha=0.5)},
    }


def written(layers: Layers, layout: str, folder: Path) -> Path:
    path = folder / f"{layout}.safetensors"
    if layout == "kohya":
        save_file(to_kohya(layers), path)
    elif layout == "diffusers":
        tensors, metadata = to_diffusers(layers)
        save_file(tensors, path, metadata)
    else:
        path = folder / "adapter_model.safetensors"
        tensors, config = to_peft(layers["unet"])
        save_file(tensors, path)
        (folder / "adapter_config.json").write_text(json.dumps(config))
        return folder
    return path


def delta(change: LowRank) -> Tensor:
    return (change.alpha / change.rank) * (change.up.flatten(1) @ change.down.flatten(1))


@pytest.mark.parametrize("layout", ["kohya", "diffusers", "peft"])
def test_a_written_file_gives_the_change_that_was_trained(
    store: ModelStore, layers: Layers, layout: str, tmp_path: Path
) -> None:
    file = str(written(layers, layout, tmp_path))
    parts = store.inspect("tiny-sd").parts
    adapter = store.inspect_adapter(file, [parts["unet"], parts["text_encoder"]])
    assert adapter.parts == (("unet",) if layout == "peft" else ("unet", "text_encoder"))
    for part in adapter.parts:
        names = [f"{path}.weight" for path in layers[part]]
        with store.use(parts[part]) as module:
            before = {name: module.get_parameter(name).clone() for name in names}
        with store.use(parts[part].patched(LoraPatch(file, adapter.fingerprint, 1.0, part))) as module:
            for path, change in layers[part].items():
                name = f"{path}.weight"
                wanted = before[name] + delta(change).reshape(before[name].shape)
                torch.testing.assert_close(module.get_parameter(name), wanted)
        assert all(torch.equal(module.get_parameter(name), before[name]) for name in names)


@pytest.mark.parametrize("layout", ["kohya", "diffusers"])
def test_diffusers_reads_what_graphflow_writes(layers: Layers, layout: str, model_folder: Path, tmp_path: Path) -> None:
    unet: Any = UNet2DConditionModel.from_pretrained(model_folder / "unet")
    before = {path: unet.get_parameter(f"{path}.weight").clone() for path in layers["unet"]}
    loader: Callable[..., Any] = StableDiffusionLoraLoaderMixin.lora_state_dict
    path = written({"unet": layers["unet"]}, layout, tmp_path)
    tensors, alphas, metadata = loader(str(path), return_lora_metadata=True)
    unet.load_lora_adapter(tensors, prefix="unet", network_alphas=alphas, metadata=metadata)
    unet.fuse_lora()
    for path_of_layer, change in layers["unet"].items():
        wanted = before[path_of_layer] + delta(change).reshape(before[path_of_layer].shape)
        found = unet.get_submodule(path_of_layer).base_layer.weight
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_kohyas_prefixes_are_those_of_the_family(layers: Layers) -> None:
    assert "lora_te_text_model_encoder_layers_0_self_attn_q_proj.alpha" in to_kohya(layers)
    two = {"text_encoder": layers["text_encoder"], "text_encoder_2": layers["text_encoder"]}
    assert {name.split("_text_model")[0] for name in to_kohya(two)} == {"lora_te1", "lora_te2"}
    with pytest.raises(ModelMismatch, match="no name for a vae"):
        to_kohya({"vae": layers["unet"]})


def test_layers_that_differ_are_in_pefts_patterns(layers: Layers) -> None:
    _, config = to_peft(layers["unet"])
    assert (config["r"], config["lora_alpha"]) == (4, 1.0)
    assert (config["rank_pattern"], config["alpha_pattern"]) == ({CONV: 2}, {CONV: 6.0})
    with pytest.raises(ModelMismatch, match="no layer to write"):
        to_peft({})


def test_a_pattern_means_whole_names_at_the_end_of_a_path(tmp_path: Path) -> None:
    changes = {
        name: LowRank(torch.ones(2, 4), torch.ones(4, 2), alpha=2.0) for name in ("a.to_q", "b.to_q", "b.not_to_q")
    }
    tensors, config = to_peft(changes)
    save_file(tensors, tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text(json.dumps({**config, "alpha_pattern": {"b.to_q": 8, "to_q": 4}}))
    alphas = {layer.layer: layer.alpha for layer in read_lora(tmp_path).layers}
    assert alphas == {"a_to_q": 4.0, "b_to_q": 8.0, "b_not_to_q": 2.0}
