"""Broken weights: one message that names the file, nothing of it stays in memory, and a good file works right after."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import Tensor

from graphflow.errors import ModelError, ModelMismatch
from graphflow.models.catalog import ModelCatalog
from graphflow.models.finite import broken_names, extremes
from graphflow.models.store import ModelStore
from graphflow.ports import LoraPatch, ModelRecipe

Break = Callable[[Path], None]

WEIGHTS = {
    "unet": "diffusion_pytorch_model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
    "text_encoder": "model.safetensors",
}
LORA_LAYER = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"


def cut_short(file: Path) -> None:
    """A download that stopped at half of it."""
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def garbled(file: Path) -> None:
    """Something else under the name of a model, such as the page of a server that says no."""
    file.write_bytes(b"<!DOCTYPE html><html>Too many requests</html>" * 200)


def emptied(file: Path) -> None:
    """A file that was only begun."""
    file.write_bytes(b"")


def lacking(file: Path) -> None:
    """Without one of its tensors."""
    tensors = load_file(file)
    tensors.pop(sorted(tensors)[len(tensors) // 2])
    save_file(tensors, file)


def poisoned(value: float) -> Break:
    """With one number that is none, in the midst of a weight."""

    def poison(file: Path) -> None:
        tensors = load_file(file)
        name = max(tensors, key=lambda each: tensors[each].numel())
        tensors[name].view(-1)[tensors[name].numel() // 2] = value
        save_file(tensors, file)

    return poison


BREAKS: dict[str, tuple[Break, str]] = {
    "cut short": (cut_short, "is damaged: it is cut short"),
    "garbled": (garbled, "is damaged: it does not start as a safetensors file"),
    "emptied": (emptied, "is damaged: it has 0 bytes"),
    "lacking": (lacking, "1 missing: "),
    "NaN": (poisoned(float("nan")), "is damaged: .* not finite"),
    "infinity": (poisoned(float("-inf")), "is damaged: .* not finite"),
}


def used(store: ModelStore, recipe: ModelRecipe) -> None:
    with store.use(recipe):
        pass


def use_all_parts(store: ModelStore, file: str) -> None:
    for recipe in store.inspect(file).parts.values():
        used(store, recipe)


def with_lora(store: ModelStore, base: ModelRecipe) -> ModelRecipe:
    return base.patched(LoraPatch("style", store.inspect_adapter("style", [base]).fingerprint))


@pytest.mark.parametrize("part", list(WEIGHTS))
@pytest.mark.parametrize("harm", list(BREAKS))
def test_broken_weights_are_one_message_and_a_good_file_works_right_after(
    store: ModelStore, catalog: ModelCatalog, part: str, harm: str
) -> None:
    broken = shutil.copytree(catalog.zoo_folder / "tiny-sd", catalog.models_folder / "checkpoints" / "broken")
    file = broken / part / WEIGHTS[part]
    action, message = BREAKS[harm]
    action(file)
    with pytest.raises(ModelError, match=message) as caught:
        used(store, store.inspect("broken").parts[part])
    assert str(broken) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert store.resident() == []
    used(store, store.inspect("tiny-sd").parts[part])


@pytest.mark.parametrize("harm", ["cut short", "garbled", "lacking", "NaN"])
def test_a_broken_single_file_is_as_plain(store: ModelStore, catalog: ModelCatalog, harm: str) -> None:
    file = Path(
        shutil.copy(
            catalog.models_folder / "checkpoints" / "single.safetensors", catalog.models_folder / "b.safetensors"
        )
    )
    action, message = BREAKS[harm]
    action(file)
    with pytest.raises(ModelError, match=message):
        use_all_parts(store, "b")
    good = store.inspect("single").parts["unet"]
    used(store, good)
    assert [resident.key.split("/")[0] for resident in store.resident()].count(good.fingerprint) == 1


def test_the_message_names_the_tensors_as_the_file_has_them(store: ModelStore, catalog: ModelCatalog) -> None:
    file = Path(
        shutil.copy(
            catalog.models_folder / "checkpoints" / "single.safetensors", catalog.models_folder / "b.safetensors"
        )
    )
    tensors = load_file(file)
    names = ["model.diffusion_model.time_embed.0.weight", "model.diffusion_model.out.2.bias"]
    for name in names:
        tensors[name].view(-1)[0] = float("nan")
    save_file(tensors, file)
    with pytest.raises(ModelError, match="2 of them") as caught:
        used(store, store.inspect("b").parts["unet"])
    assert all(name in str(caught.value) for name in names)


def test_weights_too_large_for_fp16_are_no_damage(
    catalog: ModelCatalog, store: ModelStore, states: dict[str, dict[str, Tensor]]
) -> None:
    folder = shutil.copytree(catalog.zoo_folder / "tiny-sd" / "vae", catalog.models_folder / "vaes" / "loud")
    state = {name: tensor.clone() for name, tensor in states["vae"].items()}
    state["decoder.conv_in.bias"][0] = 1e5
    save_file(state, folder / WEIGHTS["vae"])
    recipe = store.inspect("loud", "vaes").parts["vae"]
    with pytest.raises(
        ModelError, match=r"does not fit into float16: .* decoder\.conv_in\.bias; choose the precision bf16 or fp32"
    ):
        used(store, replace(recipe, precision="fp16"))
    used(store, recipe)


@pytest.mark.parametrize("harm", ["cut short", "lacking", "NaN"])
def test_a_broken_controlnet_is_refused(
    store: ModelStore, catalog: ModelCatalog, model_folder: Path, harm: str
) -> None:
    unet = UNet2DConditionModel.from_pretrained(model_folder / "unet")
    folder = catalog.models_folder / "controlnets" / "edges"
    ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 8)).save_pretrained(folder)
    good = shutil.copytree(folder, folder.with_name("good"))
    action, message = BREAKS[harm]
    action(folder / "diffusion_pytorch_model.safetensors")
    with pytest.raises(ModelError, match=message):
        used(store, store.inspect("edges", "controlnets").parts["controlnet"])
    assert store.resident() == []
    used(store, store.inspect(str(good), "controlnets").parts["controlnet"])


def write_lora(path: Path, width: int = 32) -> Path:
    """A LoRA of one layer of the tiny UNet, or of one that is wider."""
    path.parent.mkdir(exist_ok=True)
    tensors = {
        f"unet.{LORA_LAYER}.lora_A.weight": torch.randn(2, width),
        f"unet.{LORA_LAYER}.lora_B.weight": torch.randn(width, 2),
    }
    save_file(tensors, path)
    return path


LORA_BREAKS: dict[str, tuple[Break, str]] = {
    **BREAKS,
    "emptied": (emptied, "is damaged"),
    "lacking": (lacking, "lacks tensors"),
}


@pytest.mark.parametrize("harm", list(LORA_BREAKS))
def test_a_broken_lora_leaves_the_model_as_it_was(store: ModelStore, catalog: ModelCatalog, harm: str) -> None:
    base = store.inspect("tiny-sd").parts["unet"]
    with store.use(base) as unet:
        before = {name: tensor.clone() for name, tensor in unet.state_dict().items()}
    file = write_lora(catalog.models_folder / "loras" / "style.safetensors")
    action, message = LORA_BREAKS[harm]
    action(file)
    with pytest.raises(ModelError, match=message) as caught:
        used(store, with_lora(store, base))
    assert str(file) in str(caught.value)
    with store.use(base) as unet:
        assert all(torch.equal(tensor, before[name]) for name, tensor in unet.state_dict().items())
    write_lora(file)
    used(store, with_lora(store, base))


def test_a_lora_of_another_family_is_refused_before_anything_is_loaded(
    store: ModelStore, catalog: ModelCatalog
) -> None:
    write_lora(catalog.models_folder / "loras" / "wide.safetensors", width=1280)
    with pytest.raises(ModelMismatch, match="made for a model of another family or size"):
        store.inspect_adapter("wide", [store.inspect("tiny-sd").parts["unet"]])
    assert store.resident() == []


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_extremes_pass_on_what_is_not_finite(dtype: torch.dtype) -> None:
    found = {
        "whole": extremes(torch.tensor([-60000.0, 60000.0], dtype=dtype)),
        "nan": extremes(torch.tensor([[1.0, float("nan")], [2.0, 3.0]], dtype=dtype)),
        "least": extremes(torch.tensor([1.0, -float("inf")], dtype=dtype)),
        "none": extremes(torch.zeros(0, 4, dtype=dtype)),
        "numbers": extremes(torch.arange(3)),
    }
    assert broken_names(found) == ["nan", "least"]
    assert broken_names({}) == []
