"""What a LoRA file says of itself, and files that are none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from graphflow.errors import ModelError, UnknownModelFormat, UnsafeModelFile
from graphflow.models.catalog import ModelCatalog
from graphflow.models.devices import torch_dtype
from graphflow.models.fingerprint import Fingerprints
from graphflow.models.lora.adapter import LoraFile, read_lora
from graphflow.models.source import companions_of
from graphflow.models.store import ModelStore
from graphflow.ports import LoraPatch

TENSORS = {
    f"{part}.proj.lora.{name}.weight": torch.ones(shape)
    for part in ("unet", "text_encoder")
    for name, shape in (("down", (2, 4)), ("up", (4, 2)))
}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str = "lora.safetensors", metadata: dict[str, Any] | None = None) -> Path:
        path = tmp_path / name
        save_file(TENSORS, path, {key: json.dumps(value) for key, value in (metadata or {}).items()})
        return path

    return write


def alphas(lora: LoraFile) -> dict[str, float | None]:
    return {layer.part: layer.alpha for layer in lora.layers}


def test_without_a_word_on_alpha_it_is_the_rank(write: Callable[..., Path]) -> None:
    lora = read_lora(write())
    assert lora.parts == ("unet", "text_encoder")
    assert alphas(lora) == {"unet": None, "text_encoder": None}


def test_alpha_comes_from_the_files_metadata(write: Callable[..., Path]) -> None:
    config = {"unet.lora_alpha": 3, "text_encoder.lora_alpha": 5.5, "unet.use_rslora": True}
    lora = read_lora(write(metadata={"lora_adapter_metadata": config}))
    assert alphas(lora) == {"unet": 3.0, "text_encoder": 5.5}
    assert [layer.rank_stabilized for layer in lora.layers if layer.part == "unet"] == [True]


def test_a_file_beside_it_has_the_last_word_and_belongs_to_it(write: Callable[..., Path]) -> None:
    path = write(metadata={"lora_adapter_metadata": {"unet.lora_alpha": 3}})
    beside = path.with_name(path.name + ".json")
    beside.write_text(json.dumps({"unet": {"lora_alpha": 7}, "comment": "mine"}))
    assert alphas(read_lora(path)) == {"unet": 7.0, "text_encoder": None}
    assert companions_of(path) == [beside]


def test_pefts_settings_count_for_the_file_beside_them(write: Callable[..., Path]) -> None:
    path = write("adapter_model.safetensors")
    config = path.with_name("adapter_config.json")
    config.write_text(json.dumps({"lora_alpha": 16, "r": 2}))
    assert alphas(read_lora(path)) == alphas(read_lora(path.parent)) == {"unet": 16.0, "text_encoder": 16.0}
    assert companions_of(path) == [config]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"unet.lora_alpha": "much"}, "must be numbers; 'much' is given"),
        ({"unet.lora_alpha": True}, "must be numbers"),
        ({"unet.alpha_pattern": {"(": 3}}, "no regular expression"),
        ([1], "not a JSON object"),
    ],
)
def test_settings_that_make_no_sense_are_named(write: Callable[..., Path], config: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        read_lora(write(metadata={"lora_adapter_metadata": config}))


def test_metadata_that_is_no_json_is_named(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "a.safetensors", {"lora_adapter_metadata": "{"})
    with pytest.raises(ModelError, match="not JSON"):
        read_lora(tmp_path / "a.safetensors")


def test_one_layer_under_two_names_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file(TENSORS | {"lora_unet_proj.lora_down.weight": torch.ones(2, 4)}, path)
    with pytest.raises(ModelError, match="two tensors for one thing"):
        read_lora(path)


def test_a_checkpoint_is_no_lora(store: ModelStore) -> None:
    with pytest.raises(UnknownModelFormat, match=r"is no LoRA: none of its \d+ tensors"):
        store.inspect_adapter("single", kind="checkpoints")


def test_a_folder_without_weights_says_what_it_should_hold(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no folder of an adapter.*adapter_model\.safetensors"):
        read_lora(tmp_path)


def test_torch_files_hold_loras_too_but_no_other_objects(tmp_path: Path) -> None:
    torch.save(TENSORS, tmp_path / "pytorch_lora_weights.bin")
    assert read_lora(tmp_path).parts == ("unet", "text_encoder")
    torch.save({"a": Path("x")}, tmp_path / "bad.bin")
    with pytest.raises(UnsafeModelFile):
        read_lora(tmp_path / "bad.bin")


def test_peft_folders_are_named_like_files(catalog: ModelCatalog, home: Path) -> None:
    folder = home / "models" / "loras" / "mine"
    folder.mkdir(parents=True)
    save_file(TENSORS, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text("{}")
    assert catalog.resolve("mine", "loras") == folder
    assert [entry.name for entry in catalog.entries("loras")] == ["mine"]


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_the_store_hands_out_rounded_sums_and_takes_back_the_same_bits(
    catalog: ModelCatalog, tmp_path: Path, precision: Any
) -> None:
    layer = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
    torch.manual_seed(5)
    factors = {"down": torch.randn(4, 32), "up": torch.randn(32, 4)}
    save_file({f"unet.{layer}.lora.{name}.weight": each for name, each in factors.items()}, tmp_path / "a.safetensors")
    store = ModelStore(catalog, Fingerprints(), device="cpu", precision=precision)
    base = store.inspect("tiny-sd").parts["unet"]
    adapter = store.inspect_adapter(str(tmp_path / "a.safetensors"), [base])
    patch = LoraPatch(adapter.file, adapter.fingerprint, 0.3)
    with store.use(base) as unet:
        before = {name: weight.clone() for name, weight in unet.state_dict().items()}
    with store.use(base.patched(patch).patched(patch)) as unet:
        weight = before[f"{layer}.weight"]
        delta = factors["up"] @ factors["down"] * 0.3
        assert torch.equal(unet.get_parameter(f"{layer}.weight"), (weight.float() + (delta + delta)).to(weight.dtype))
        assert unet.get_parameter(f"{layer}.weight").dtype == torch_dtype(precision)
    assert all(torch.equal(weight, before[name]) for name, weight in unet.state_dict().items())
