"""Which kind a model is, told by what it holds, and bundled models of every kind under their names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from graphflow.errors import ModelError
from graphflow.models.catalog import ModelCatalog
from graphflow.models.kinds import kind_of


def write_lora(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    layer = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
    save_file({f"{layer}.lora_down.weight": torch.zeros(1, 8), f"{layer}.lora_up.weight": torch.zeros(8, 1)}, path)
    return path


def write_controlnet(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"_class_name": "ControlNetModel"}))
    return folder


def test_a_network_alone_has_the_kind_of_its_part(model_folder: Path) -> None:
    weights = "diffusion_pytorch_model.safetensors"
    assert kind_of(model_folder) == "checkpoints"
    assert [kind_of(model_folder / "unet"), kind_of(model_folder / "unet" / weights)] == ["denoisers"] * 2
    assert [kind_of(model_folder / "vae"), kind_of(model_folder / "vae" / weights)] == ["vaes"] * 2
    assert kind_of(model_folder / "text_encoder") == "text_encoders"


def test_a_single_file_with_all_parts_is_a_checkpoint(original_file: Path) -> None:
    assert kind_of(original_file) == "checkpoints"


def test_adapters_and_embeddings_are_known_by_their_keys(tmp_path: Path) -> None:
    assert kind_of(write_lora(tmp_path / "style.safetensors")) == "loras"
    save_file({"emb_params": torch.zeros(2, 8)}, tmp_path / "word.safetensors")
    assert kind_of(tmp_path / "word.safetensors") == "embeddings"


def test_other_tensors_have_no_kind_and_a_damaged_file_is_an_error(tmp_path: Path) -> None:
    save_file({"something": torch.zeros(2)}, tmp_path / "other.safetensors")
    assert kind_of(tmp_path / "other.safetensors") is None
    (tmp_path / "cut.safetensors").write_bytes(b"cut")
    with pytest.raises(ModelError, match="damaged"):
        kind_of(tmp_path / "cut.safetensors")


def test_bundled_models_of_every_kind_are_found_by_name(catalog: ModelCatalog) -> None:
    lora = write_lora(catalog.zoo_folder / "tiny-style.safetensors")
    controlnet = write_controlnet(catalog.zoo_folder / "tiny-controlnet")
    assert catalog.resolve("tiny-style", "loras") == lora
    assert catalog.resolve("tiny-controlnet", "controlnets") == controlnet
    listed = {(entry.name, entry.kind) for entry in catalog.entries() if entry.source == "zoo"}
    assert listed == {
        ("tiny-sd", "checkpoints"),
        ("tiny-style.safetensors", "loras"),
        ("tiny-controlnet", "controlnets"),
    }
    assert [entry.path for entry in catalog.entries("loras")] == [lora]


def test_a_bundled_model_of_another_kind_hides_no_model_of_the_user(catalog: ModelCatalog) -> None:
    mine = write_lora(catalog.models_folder / "loras" / "tiny-sd.safetensors")
    assert catalog.resolve("tiny-sd", "loras") == mine
    assert catalog.resolve("tiny-sd", "vaes") == catalog.zoo_folder / "tiny-sd"


@pytest.mark.parametrize("kind", ["denoisers", "text_encoders", "vaes"])
def test_a_part_may_come_from_a_whole_checkpoint(catalog: ModelCatalog, kind: str) -> None:
    assert catalog.resolve("single", kind) == catalog.models_folder / "checkpoints" / "single.safetensors"
