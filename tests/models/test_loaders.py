"""Networks from files, equal to the bit in every layout, and the way back."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from graphflow.errors import ModelMismatch
from graphflow.models import keymap
from graphflow.models.description import ModelDescription
from graphflow.models.detect import detect
from graphflow.models.loaders import load_part
from graphflow.models.loaders.stable_diffusion import to_original

CPU = torch.device("cpu")


def load(description: ModelDescription, part: str, dtype: torch.dtype = torch.float32) -> torch.nn.Module:
    return load_part(description, part, dtype=dtype, device=CPU)


def assert_same_weights(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert list(one) == list(other)
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def hints_of(folder: Path) -> dict[str, dict[str, object]]:
    return {part: json.loads((folder / part / "config.json").read_text()) for part in ("unet", "vae", "text_encoder")}


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_both_layouts_of_the_reference_load_to_the_same_bits(parity: Path, part: str) -> None:
    folder = detect(parity / "model")
    single = detect(parity / "original_ldm.safetensors", hints_of(parity / "model"))
    assert_same_weights(load(folder, part).state_dict(), load(single, part).state_dict())


def test_the_reference_text_encoder_loads_with_and_without_prefix(parity: Path) -> None:
    hints = hints_of(parity / "model")
    flat = load(detect(parity / "text_encoder_flat.safetensors", hints), "text_encoder")
    prefixed = load(detect(parity / "model"), "text_encoder")
    assert_same_weights(flat.state_dict(), prefixed.state_dict())


def test_the_key_map_of_the_reference_is_reproduced(parity: Path) -> None:
    with (parity / "keymap.csv").open() as file:
        rows = list(csv.DictReader(file))
    keys: dict[str, list[str]] = {}
    for row in rows:
        part, _, name = row["diffusers_key"].partition(".")
        keys.setdefault(part, []).append(name)
    outline = keymap.outline_of_diffusers(keys["unet"])
    table = keymap.keymap(keys, unet=outline, vae_levels=4, vae_layers=2)
    assert table == {row["diffusers_key"]: row["original_key"] for row in rows}


@pytest.mark.parametrize("text_encoder", ["model/text_encoder/model.safetensors", "text_encoder_flat.safetensors"])
def test_the_reference_is_written_in_the_original_layout_to_the_bit(parity: Path, text_encoder: str) -> None:
    weights = "diffusion_pytorch_model.safetensors"
    parts = {part: load_file(parity / "model" / part / weights) for part in ("unet", "vae")}
    written = to_original({**parts, "text_encoder": load_file(parity / text_encoder)})
    expected = load_file(parity / "original_ldm.safetensors")
    assert_same_weights(dict(sorted(written.items())), dict(sorted(expected.items())))


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_a_single_file_without_configuration_loads_to_the_same_bits(
    model_folder: Path, original_file: Path, part: str
) -> None:
    assert_same_weights(load(detect(model_folder), part).state_dict(), load(detect(original_file), part).state_dict())


def test_a_loaded_network_computes_what_the_library_computes(model_folder: Path, original_file: Path) -> None:
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextModel

    inputs = (torch.randn(1, 4, 8, 8), torch.tensor([3]), torch.randn(1, 5, 64))
    tokens = torch.tensor([[0, 5, 9, 2]])
    with torch.no_grad():
        unet = UNet2DConditionModel.from_pretrained(model_folder / "unet").eval()
        text = CLIPTextModel.from_pretrained(model_folder / "text_encoder").eval()
        loaded_unet, loaded_text = load(detect(original_file), "unet"), load(detect(original_file), "text_encoder")
        torch.testing.assert_close(loaded_unet(*inputs).sample, unet(*inputs).sample, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(loaded_text(tokens)[0], text(tokens)[0], rtol=1e-5, atol=1e-6)


def test_a_network_is_ready_for_use_and_holds_no_gradients(model_folder: Path) -> None:
    network = load(detect(model_folder), "text_encoder", torch.bfloat16)
    assert not network.training
    assert {parameter.dtype for parameter in network.parameters()} == {torch.bfloat16}
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert {tensor.device.type for tensor in (*network.parameters(), *network.buffers())} == {"cpu"}


def test_weights_that_need_no_conversion_stay_mapped_from_the_file(model_folder: Path) -> None:
    network = load(detect(model_folder), "unet")
    with open("/proc/self/maps") as maps:
        mapped = [line.split()[0].split("-") for line in maps if str(model_folder / "unet") in line]
    ranges = [(int(start, 16), int(end, 16)) for start, end in mapped]
    assert ranges
    assert all(
        any(start <= tensor.data_ptr() < end for start, end in ranges) for tensor in network.state_dict().values()
    )


def test_channels_last_changes_the_order_in_memory_only(model_folder: Path) -> None:
    description = detect(model_folder)
    network = load_part(description, "unet", dtype=torch.float32, device=CPU, channels_last=True)
    weight = network.get_parameter("conv_in.weight")
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert_same_weights(network.state_dict(), load(description, "unet").state_dict())


def test_checkpoints_of_trainers_load_extras_and_all(tmp_path: Path, original_file: Path) -> None:
    weights: dict[str, Tensor] = load_file(original_file)
    extras = {
        "model_ema.decay": torch.tensor(0.9),
        "alphas_cumprod": torch.ones(1000),
        "first_stage_model.loss.logvar": torch.zeros(1),
        "cond_stage_model.transformer.text_model.embeddings.position_ids": torch.arange(16)[None],
    }
    path = tmp_path / "trained.ckpt"
    torch.save({"state_dict": {**weights, **extras}, "global_step": 7}, path)
    for part in ("unet", "vae", "text_encoder"):
        assert_same_weights(load(detect(path), part).state_dict(), load(detect(original_file), part).state_dict())


def test_old_names_of_the_vae_attention_load(tmp_path: Path, states: dict[str, dict[str, Tensor]]) -> None:
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    weights = {}
    for name, tensor in states["vae"].items():
        for new, former in old.items():
            name = name.replace(f"attentions.0.{new}.", f"attentions.0.{former}.")
        weights[name] = tensor.contiguous()
    save_file(weights, tmp_path / "vae.safetensors")
    description = detect(tmp_path / "vae.safetensors")
    assert_same_weights(load(description, "vae").state_dict(), states["vae"])
    assert set(to_original({"vae": weights})) == set(to_original({"vae": states["vae"]}))


def test_missing_left_over_and_misshapen_tensors_are_listed(
    tmp_path: Path, states: dict[str, dict[str, Tensor]]
) -> None:
    weights = {name: tensor.contiguous() for name, tensor in states["text_encoder"].items()}
    del weights["final_layer_norm.weight"]
    weights["encoder.layers.0.layer_norm1.bias"] = torch.zeros(7)
    weights |= {f"stranger.{number}": torch.zeros(1) for number in range(12)}
    save_file(weights, tmp_path / "text.safetensors")
    with pytest.raises(ModelMismatch) as caught:
        load(detect(tmp_path / "text.safetensors"), "text_encoder")
    message = str(caught.value)
    assert "1 missing: final_layer_norm.weight" in message
    assert "12 not of this network: stranger.0" in message
    assert "and 2 more" in message
    assert "encoder.layers.0.layer_norm1.bias [7] instead of [64]" in message


def test_a_unet_with_blocks_too_many_is_a_mismatch_not_a_crash(
    tmp_path: Path, original_file: Path, write_header: Callable[[Path, dict[str, list[int]]], Path]
) -> None:
    weights = load_file(original_file)
    weights["model.diffusion_model.input_blocks.1.7.weight"] = torch.zeros(1)
    save_file(weights, tmp_path / "odd.safetensors")
    with pytest.raises(ModelMismatch, match=r"input_blocks\.1\.7\.weight"):
        load(detect(tmp_path / "odd.safetensors"), "unet")


def test_a_part_that_the_file_lacks_is_named(model_folder: Path) -> None:
    with pytest.raises(ModelMismatch, match="holds no unet; it holds vae"):
        load(detect(model_folder / "vae"), "unet")


def test_a_key_without_place_in_the_original_layout_is_named(states: dict[str, dict[str, Tensor]]) -> None:
    with pytest.raises(ModelMismatch, match=r"unet\.new_layer\.weight"):
        to_original({"unet": {**states["unet"], "new_layer.weight": torch.zeros(1)}})
