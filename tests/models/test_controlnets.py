"""ControlNets of each family: known by keys and shapes, equal to the bit in every layout."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import ControlNetModel, T2IAdapter, UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint
from safetensors.torch import save_file
from torch import Tensor

from graphflow.errors import ModelMismatch, UnknownModelFormat
from graphflow.models import keymap
from graphflow.models.detect import detect
from graphflow.models.loaders import build_network, load_part
from graphflow.ports import ControlNet

FAMILIES = ("sd15", "sd2", "sdxl")
WIDTHS = {"sd15": 768, "sd2": 1024, "sdxl": 2048}

WriteHeader = Callable[[Path, dict[str, list[int]]], Path]


def tiny(family: str, **changes: Any) -> ControlNetModel:
    """A ControlNet of two levels whose zero convolutions are not zero."""
    torch.manual_seed(4)
    sizes: dict[str, Any] = {
        "block_out_channels": (32, 64),
        "layers_per_block": 1,
        "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "conditioning_embedding_out_channels": (4, 8, 8, 16),
        "cross_attention_dim": 24,
        "attention_head_dim": 8,
    }
    if family != "sd15":
        sizes |= {"use_linear_projection": True, "attention_head_dim": (1, 1)}
    if family == "sdxl":
        sizes |= {
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
            "transformer_layers_per_block": (1, 2),
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": 16 + 6 * 256,
        }
    network = ControlNetModel(**{**sizes, **changes})
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network.eval()


def original(network: ControlNetModel, prefix: str = "control_model.") -> dict[str, Tensor]:
    """Its weights in the layout of the original files."""
    state = network.state_dict()
    outline = keymap.outline_of_diffusers(state)
    hints = 2 * len(network.config["conditioning_embedding_out_channels"])
    renaming = keymap.controlnet_renaming(outline, hints)
    return {f"{prefix}{renaming.original(name)}": tensor.contiguous() for name, tensor in state.items()}


def loaded(path: Path) -> torch.nn.Module:
    return load_part(detect(path), "controlnet", dtype=torch.float32, device=torch.device("cpu"))


def assert_same(network: torch.nn.Module, state: dict[str, Tensor]) -> None:
    mine = network.state_dict()
    assert set(mine) == set(state)
    assert [name for name in mine if not torch.equal(mine[name], state[name])] == []


def inputs(network: Any) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(1)
    added = {"text_embeds": torch.randn(2, 16, generator=generator), "time_ids": torch.full((2, 6), 8.0)}
    return {
        "sample": torch.randn(2, 4, 8, 8, generator=generator),
        "timestep": torch.tensor(500),
        "encoder_hidden_states": torch.randn(2, 7, 24, generator=generator),
        "controlnet_cond": torch.rand(2, 3, 64, 64, generator=generator),
        "added_cond_kwargs": added,
        "return_dict": False,
    }


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("prefix", ["control_model.", ""])
def test_every_layout_gives_the_same_bits(tmp_path: Path, family: str, prefix: str) -> None:
    network = tiny(family)
    network.save_pretrained(tmp_path / "folder")
    save_file(network.state_dict(), tmp_path / "one.safetensors")
    save_file(original(network, prefix), tmp_path / "original.safetensors")
    for name, layout in (
        ("folder", "diffusers"),
        ("one.safetensors", "diffusers"),
        ("original.safetensors", "original"),
    ):
        description = detect(tmp_path / name)
        assert (description.family, description.layout, set(description.parts)) == (family, layout, {"controlnet"})
        assert description.parts["controlnet"].recipe == ControlNet("", "", family, "controlnet")
        assert_same(loaded(tmp_path / name), network.state_dict())
    assert detect(tmp_path / "folder").assumed == {}


@pytest.mark.parametrize("family", ["sd15", "sd2"])
def test_the_original_layout_is_the_one_that_diffusers_reads(family: str) -> None:
    network = tiny(family)
    converted = convert_controlnet_checkpoint(original(network), dict(network.config))
    assert_same(network, converted)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_single_file_computes_what_the_folder_computes(tmp_path: Path, family: str) -> None:
    network = tiny(family)
    save_file(original(network), tmp_path / "original.safetensors")
    mine = loaded(tmp_path / "original.safetensors")
    with torch.no_grad():
        down, middle = mine(**inputs(network))
        expected_down, expected_middle = network(**inputs(network))
    torch.testing.assert_close([*down, middle], [*expected_down, expected_middle])


def test_diffusers_reads_the_single_file_to_the_same_network(tmp_path: Path) -> None:
    network = tiny("sd15")
    network.save_pretrained(tmp_path / "folder")
    save_file(original(network), tmp_path / "original.safetensors")
    theirs = ControlNetModel.from_single_file(
        str(tmp_path / "original.safetensors"), config=str(tmp_path / "folder"), local_files_only=True
    )
    assert_same(loaded(tmp_path / "original.safetensors"), theirs.state_dict())


def test_half_precision_files_load(tmp_path: Path) -> None:
    network = tiny("sd15").half()
    save_file(original(network), tmp_path / "half.safetensors")
    mine = loaded(tmp_path / "half.safetensors")
    assert_same(mine, {name: tensor.float() for name, tensor in network.state_dict().items()})


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("layout", ["diffusers", "original"])
def test_files_of_the_true_sizes_are_known_by_their_headers(
    tmp_path: Path, family: str, layout: str, write_header: WriteHeader
) -> None:
    arguments: dict[str, Any] = {"cross_attention_dim": WIDTHS[family]}
    if family != "sd15":
        arguments |= {"use_linear_projection": True, "attention_head_dim": (5, 10, 20, 20)}
    if family == "sdxl":
        arguments |= {
            "block_out_channels": (320, 640, 1280),
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            "attention_head_dim": (5, 10, 20),
            "transformer_layers_per_block": (1, 2, 10),
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": 2816,
        }
    with torch.device("meta"):
        network = ControlNetModel(**arguments)
    state = network.state_dict() if layout == "diffusers" else original(network)
    path = write_header(tmp_path / "c.safetensors", {name: list(tensor.shape) for name, tensor in state.items()})
    description = detect(path)
    assert (description.family, description.layout) == (family, layout)
    seen = json.loads(json.dumps(dict(description.parts["controlnet"].config)))
    said = json.loads(json.dumps(dict(network.config)))
    assert seen == {name: said[name] for name in seen}
    built = build_network(family, "controlnet", description.parts["controlnet"].config)
    assert {n: t.shape for n, t in built.state_dict().items()} == {n: t.shape for n, t in network.state_dict().items()}


def test_small_controlnets_of_xl_read_no_text(tmp_path: Path) -> None:
    network = tiny(
        "sdxl", down_block_types=("DownBlock2D", "DownBlock2D"), mid_block_type="UNetMidBlock2D",
        transformer_layers_per_block=(1, 10),
    )  # fmt: skip
    network.save_pretrained(tmp_path / "folder")
    save_file(network.state_dict(), tmp_path / "one.safetensors")
    for name in ("folder", "one.safetensors"):
        assert_same(loaded(tmp_path / name), network.state_dict())
    assert detect(tmp_path / "one.safetensors").assumed["controlnet.cross_attention_dim"] == "2048"


def test_controlnets_whose_attention_has_no_layers_load(tmp_path: Path) -> None:
    network = tiny("sdxl", transformer_layers_per_block=(0, 0))
    save_file(network.state_dict(), tmp_path / "one.safetensors")
    assert_same(loaded(tmp_path / "one.safetensors"), network.state_dict())


def test_what_shapes_cannot_tell_is_as_a_configuration_says(tmp_path: Path) -> None:
    network = tiny("sd15", attention_head_dim=2)
    save_file(network.state_dict(), tmp_path / "one.safetensors")
    assert detect(tmp_path / "one.safetensors").assumed["controlnet.attention_head_dim"] == "8"
    (tmp_path / "one.safetensors.json").write_text(json.dumps({"controlnet": {"attention_head_dim": 2}}))
    description = detect(tmp_path / "one.safetensors")
    assert description.parts["controlnet"].config["attention_head_dim"] == 2
    assert "controlnet.attention_head_dim" not in description.assumed


def test_a_configuration_of_another_model_is_refused(tmp_path: Path) -> None:
    tiny("sd15").save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "cross_attention_dim": 32}))
    with pytest.raises(ModelMismatch, match="cross_attention_dim = 32, but the tensors have 24"):
        detect(tmp_path)


def test_an_original_file_with_a_whole_checkpoint_beside_it_is_a_controlnet(tmp_path: Path) -> None:
    network = tiny("sd15")
    beside = {"model.diffusion_model.input_blocks.0.0.weight": torch.zeros(32, 4, 3, 3), "logvar": torch.zeros(3)}
    save_file(original(network) | beside, tmp_path / "all.safetensors")
    assert_same(loaded(tmp_path / "all.safetensors"), network.state_dict())


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    state = original(tiny("sd15"))
    state.pop("control_model.middle_block_out.0.bias")
    state["control_model.stranger"] = torch.zeros(2)
    save_file(state, tmp_path / "broken.safetensors")
    with pytest.raises(ModelMismatch, match=r"1 missing: controlnet_mid_block\.bias; 1 not of this network: stranger"):
        loaded(tmp_path / "broken.safetensors")


@pytest.mark.parametrize(
    ("key", "title"),
    [("task_embedding", "a union ControlNet"), ("lora_controlnet", "a control LoRA")],
)
def test_relatives_that_work_otherwise_are_refused_by_name(tmp_path: Path, key: str, title: str) -> None:
    save_file({**tiny("sdxl").state_dict(), key: torch.zeros(3)}, tmp_path / "relative.safetensors")
    with pytest.raises(UnknownModelFormat, match=title):
        detect(tmp_path / "relative.safetensors")


def test_adapters_of_another_kind_are_refused_by_name(tmp_path: Path) -> None:
    save_file(T2IAdapter(channels=(8, 8), num_res_blocks=1).state_dict(), tmp_path / "adapter.safetensors")
    with pytest.raises(UnknownModelFormat, match="a T2I-Adapter"):
        detect(tmp_path / "adapter.safetensors")


def test_a_pipeline_folder_with_a_controlnet_is_a_checkpoint_whose_controlnet_has_a_folder(tmp_path: Path) -> None:
    unet = UNet2DConditionModel(
        block_out_channels=(32, 64), layers_per_block=1, cross_attention_dim=24,
        down_block_types=("CrossAttnDownBlock2D",) * 2, up_block_types=("CrossAttnUpBlock2D",) * 2,
    )  # fmt: skip
    unet.save_pretrained(tmp_path / "unet")
    tiny("sd15").save_pretrained(tmp_path / "controlnet")
    index = {
        name: ["diffusers", kind]
        for name, kind in (("unet", "UNet2DConditionModel"), ("controlnet", "ControlNetModel"))
    }
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    assert set(detect(tmp_path).parts) == {"unet"}
    assert set(detect(tmp_path / "controlnet").parts) == {"controlnet"}
