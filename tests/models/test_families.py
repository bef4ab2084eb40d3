"""Stable Diffusion 2, XL and its refiner: known by keys and shapes, equal to the bit in every layout."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_open_clip_checkpoint
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from graphflow.diffusion import encode_tokens
from graphflow.errors import ModelMismatch, UnknownModelFormat
from graphflow.models.description import ModelDescription
from graphflow.models.detect import detect
from graphflow.models.loaders import build_network, load_part
from graphflow.models.loaders.stable_diffusion import to_original
from graphflow.ports import Denoiser, NoiseSpec, Vae
from tests.models.tiny_families import (
    POOLED,
    SIZE_WIDTH,
    WIDTH,
    networks_of,
    states_of,
    text_config,
    unet_of,
    write_folder,
    write_original,
)

FAMILIES = ("sd2", "sdxl", "sdxl_refiner")
PARTS = {
    "sd2": {"unet", "vae", "text_encoder"},
    "sdxl": {"unet", "vae", "text_encoder", "text_encoder_2"},
    "sdxl_refiner": {"unet", "vae", "text_encoder_2"},
}

WriteHeader = Callable[[Path, dict[str, list[int]]], Path]


def weights(path: Path, part: str) -> dict[str, Tensor]:
    return load_part(detect(path), part, dtype=torch.float32, device=torch.device("cpu")).state_dict()


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert set(one) == set(other)
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def denoiser(path: Path) -> Denoiser:
    recipe = detect(path).parts["unet"].recipe
    assert isinstance(recipe, Denoiser)
    return recipe


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_loads_from_a_folder_and_from_a_single_file_to_the_same_bits(tmp_path: Path, family: str) -> None:
    networks = networks_of(family)
    folder = write_folder(tmp_path / "folder", family, networks)
    single = write_original(tmp_path / "single.safetensors", family, states_of(networks))
    for path, layout in ((folder, "diffusers"), (single, "original")):
        description = detect(path)
        assert (description.family, description.layout, set(description.parts)) == (family, layout, PARTS[family])
        assert {part.recipe.family for part in description.parts.values()} == {family}
        for part, network in networks.items():
            assert_same(weights(path, part), network.state_dict())
    assert detect(folder).assumed == {}
    vae = detect(single).parts["vae"].recipe
    assert isinstance(vae, Vae)
    assert vae.scaling_factor == networks["vae"].config.scaling_factor  # type: ignore[union-attr, index]


@pytest.mark.parametrize("family", FAMILIES)
def test_sizes_of_a_whole_single_file_need_no_configuration(tmp_path: Path, family: str) -> None:
    networks = networks_of(family)
    single = write_original(tmp_path / "single.safetensors", family, states_of(networks))
    description = detect(single)
    for part in PARTS[family] - {"vae"}:
        said = networks[part].config.to_dict() if part != "unet" else dict(networks[part].config)  # type: ignore[operator, union-attr, call-overload]
        seen = json.loads(json.dumps(dict(description.parts[part].config)))
        # Levels without attention may be configured with any depth.
        skipped = (
            {"sample_size", "projection_dim", "transformer_layers_per_block"} if part != "text_encoder_2" else set()
        )
        assert {name: value for name, value in seen.items() if name not in skipped} == {
            name: json.loads(json.dumps(said[name])) for name in seen if name not in skipped
        }


@pytest.mark.parametrize("family", FAMILIES)
def test_a_network_loaded_from_a_single_file_computes_what_the_library_computes(tmp_path: Path, family: str) -> None:
    networks = networks_of(family)
    single = detect(write_original(tmp_path / "single.safetensors", family, states_of(networks)))
    ids = torch.tensor([[0, 5, 9, 2]])
    for part in sorted(PARTS[family] - {"unet", "vae"}):
        loaded = load_part(single, part, dtype=torch.float32, device=torch.device("cpu"))
        with torch.no_grad():
            torch.testing.assert_close(loaded(ids)[0], networks[part].eval()(ids)[0], rtol=1e-5, atol=1e-6)


def test_the_single_file_is_what_other_tools_read(tmp_path: Path) -> None:
    networks = networks_of("sdxl")
    file = load_file(write_original(tmp_path / "single.safetensors", "sdxl", states_of(networks)))
    unet = convert_ldm_unet_checkpoint(dict(file), dict(networks["unet"].config))  # type: ignore[call-overload]
    assert_same(unet, networks["unet"].state_dict())
    second = networks["text_encoder_2"]
    wide = CLIPTextModelWithProjection(CLIPTextConfig(**{**second.config.to_dict(), "num_hidden_layers": 3}))  # type: ignore[operator, union-attr]
    converted = convert_open_clip_checkpoint(wide, dict(file), prefix="conditioner.embedders.1.model.")
    converted = {name: tensor for name, tensor in converted.items() if "position_ids" not in name}
    assert_same(converted, second.state_dict())


def test_the_last_layer_of_stable_diffusion_2s_text_encoder_is_left_out(tmp_path: Path) -> None:
    model = CLIPTextModelWithProjection(text_config(layers=4)).eval()
    whole = model.state_dict()
    parts = states_of(networks_of("sd2")) | {"text_encoder": whole}
    path = write_original(tmp_path / "whole.safetensors", "sd2", parts)
    text = detect(path).parts["text_encoder"]
    assert (text.config["num_hidden_layers"], text.config["hidden_act"]) == (3, "gelu")
    kept = {name.removeprefix("text_model."): tensor for name, tensor in whole.items() if "layers.3" not in name}
    kept.pop("text_projection.weight")
    assert_same(weights(path, "text_encoder"), kept)
    loaded = load_part(detect(path), "text_encoder", dtype=torch.float32, device=torch.device("cpu"))
    ids = torch.tensor([[0, 5, 9, 2]])
    with torch.no_grad():
        penultimate = model.text_model(ids, output_hidden_states=True).hidden_states[-2]
        torch.testing.assert_close(encode_tokens(loaded, ids).hidden, model.text_model.final_layer_norm(penultimate))


def test_fused_weights_stay_mapped_from_the_file(tmp_path: Path) -> None:
    path = write_original(tmp_path / "s.safetensors", "sdxl", states_of(networks_of("sdxl")))
    loaded = load_part(detect(path), "text_encoder_2", dtype=torch.float32, device=torch.device("cpu"))
    with open("/proc/self/maps") as maps:
        mapped = [line.split()[0].split("-") for line in maps if str(path) in line]
    ranges = [(int(start, 16), int(end, 16)) for start, end in mapped]
    query = loaded.get_parameter("text_model.encoder.layers.0.self_attn.q_proj.weight")
    assert any(start <= query.data_ptr() < end for start, end in ranges)


def test_stable_diffusion_2_predicts_velocity_unless_something_says_otherwise(tmp_path: Path) -> None:
    path = write_original(tmp_path / "sd2.safetensors", "sd2", states_of(networks_of("sd2")))
    assert denoiser(path).noise == NoiseSpec(prediction="v_prediction")
    assert (denoiser(path).sample_size, detect(path).assumed["scheduler.prediction_type"]) == (96, "v_prediction")
    (tmp_path / "sd2.safetensors.json").write_text(json.dumps({"scheduler": {"prediction_type": "epsilon"}}))
    assert denoiser(path).noise == NoiseSpec(prediction="epsilon")
    assert "scheduler.prediction_type" not in detect(path).assumed


@pytest.mark.parametrize(("family", "channels"), [("sd2", 9), ("sd2", 5), ("sdxl", 9)])
def test_inpainting_and_depth_unets_say_what_they_take_beside_the_latents(
    tmp_path: Path, family: str, channels: int, write_header: WriteHeader
) -> None:
    state = unet_of(family, in_channels=channels, device="meta").state_dict()
    shapes = {name: list(tensor.shape) for name, tensor in to_original({"unet": state}).items()}
    shapes["depth_model.model.pretrained.model.cls_token"] = [1, 1, 1024]
    recipe = denoiser(write_header(tmp_path / "unet.safetensors", shapes))
    assert (recipe.family, recipe.latent_channels, recipe.concat_channels) == (family, 4, channels - 4)
    assert recipe.noise.prediction == "epsilon"


def test_what_a_pipeline_brings_beside_its_networks_is_left_out(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "depth", "sd2", {**networks_of("sd2"), "unet": unet_of("sd2", in_channels=5)})
    index = json.loads((folder / "model_index.json").read_text())
    index |= {"depth_estimator": ["transformers", "DPTForDepthEstimation"], "image_encoder": [None, None]}
    (folder / "model_index.json").write_text(json.dumps(index))
    (folder / "depth_estimator").mkdir()
    (folder / "depth_estimator" / "config.json").write_text('{"architectures": ["DPTForDepthEstimation"]}')
    assert set(detect(folder).parts) == PARTS["sd2"]
    assert denoiser(folder).concat_channels == 1


@pytest.mark.parametrize("channels", [9, 5])
def test_unets_of_stable_diffusion_1_may_take_more_channels_too(
    tmp_path: Path, channels: int, write_header: WriteHeader
) -> None:
    with torch.device("meta"):
        state = UNet2DConditionModel(in_channels=channels, cross_attention_dim=768).state_dict()
    shapes = {name: list(tensor.shape) for name, tensor in to_original({"unet": state}).items()}
    recipe = denoiser(write_header(tmp_path / "unet.safetensors", shapes))
    assert (recipe.family, recipe.concat_channels) == ("sd15", channels - 4)


def test_marks_of_trainers_say_that_a_model_predicts_velocity(tmp_path: Path) -> None:
    path = write_original(tmp_path / "m.safetensors", "sdxl", states_of(networks_of("sdxl")))
    marked = tmp_path / "marked.safetensors"
    save_file({**load_file(path), "v_pred": torch.empty(0), "ztsnr": torch.empty(0)}, marked)
    assert denoiser(path).noise == NoiseSpec()
    assert denoiser(marked).noise == NoiseSpec(prediction="v_prediction", zero_terminal_snr=True)


def test_a_size_that_shapes_leave_open_is_as_the_configuration_says(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "m", "sdxl", {"unet": unet_of("sdxl")})
    config = json.loads((folder / "unet" / "config.json").read_text())
    (folder / "unet" / "config.json").write_text(json.dumps({**config, "transformer_layers_per_block": [7, 2]}))
    assert detect(folder).parts["unet"].config["transformer_layers_per_block"] == [7, 2]
    (folder / "unet" / "config.json").write_text(json.dumps({**config, "transformer_layers_per_block": [1, 3]}))
    with pytest.raises(ModelMismatch, match=r"transformer_layers_per_block = \[1, 3\], but the tensors have \[1, 2\]"):
        detect(folder)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_unet_alone_is_known_in_both_layouts(tmp_path: Path, family: str) -> None:
    unet = unet_of(family)
    hints = {"unet": {"addition_time_embed_dim": SIZE_WIDTH}}
    save_file(unet.state_dict(), tmp_path / "d.safetensors")
    save_file(to_original({"unet": unet.state_dict()}), tmp_path / "o.safetensors")
    bare = {
        name.removeprefix("model.diffusion_model."): tensor
        for name, tensor in to_original({"unet": unet.state_dict()}).items()
    }
    save_file(bare, tmp_path / "b.safetensors")
    expected = "sdxl" if family == "sdxl_refiner" else family  # pooled text is as wide as the encoder only at true size
    for name in ("d", "o", "b"):
        description = detect(tmp_path / f"{name}.safetensors", hints)
        assert (description.family, set(description.parts)) == (expected, {"unet"})
        assert_same(weights(tmp_path / f"{name}.safetensors", "unet"), unet.state_dict())


def test_text_encoders_alone_are_told_apart_by_layout_and_width(tmp_path: Path, write_header: WriteHeader) -> None:
    with torch.device("meta"):
        models = {
            "clip_l": CLIPTextModel(CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=2)),
            "clip_h": CLIPTextModel(CLIPTextConfig(hidden_size=1024, intermediate_size=4096, num_hidden_layers=2)),
            "clip_g": CLIPTextModelWithProjection(
                CLIPTextConfig(hidden_size=1280, intermediate_size=5120, num_hidden_layers=2, projection_dim=1280, num_attention_heads=20)
            ),
        }  # fmt: skip
    found = {}
    for name, model in models.items():
        shapes = {key: list(tensor.shape) for key, tensor in model.state_dict().items()}
        description = detect(write_header(tmp_path / f"{name}.safetensors", shapes))
        (part,) = description.parts.items()
        found[name] = (description.family, part[0], part[1].config["hidden_act"], part[1].config["num_attention_heads"])
    assert found == {
        "clip_l": ("sd15", "text_encoder", "quick_gelu", 12),
        "clip_h": ("sd2", "text_encoder", "gelu", 16),
        "clip_g": ("sdxl", "text_encoder_2", "gelu", 20),
    }


def test_a_folder_that_is_one_text_encoder_goes_by_its_class(tmp_path: Path) -> None:
    CLIPTextModelWithProjection(text_config()).save_pretrained(tmp_path / "second")
    description = detect(tmp_path / "second")
    assert (description.family, set(description.parts)) == ("sdxl", {"text_encoder_2"})
    assert description.parts["text_encoder_2"].config["projection_dim"] == POOLED
    assert detect(tmp_path / "second" / "model.safetensors").parts.keys() == {"text_encoder_2"}


def test_an_autoencoder_alone_is_of_xl_when_its_configuration_says_so(tmp_path: Path) -> None:
    networks_of("sdxl")["vae"].save_pretrained(tmp_path / "vae")  # type: ignore[operator]
    assert detect(tmp_path / "vae").family == "sdxl"
    lone = shutil.copy(tmp_path / "vae" / "diffusion_pytorch_model.safetensors", tmp_path / "alone.safetensors")
    description = detect(Path(lone))
    assert (description.family, description.assumed["vae.scaling_factor"]) == ("sd15", "0.18215")


@pytest.mark.parametrize("variant", [None, "fp16", "bf16"])
@pytest.mark.parametrize("shards", ["10GB", "200KB"])
def test_variants_and_shards_load(tmp_path: Path, variant: str | None, shards: str) -> None:
    networks = networks_of("sdxl")
    dtype = {None: torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[variant]
    networks = {part: network.to(dtype) for part, network in networks.items()}
    folder = write_folder(tmp_path / "m", "sdxl", networks, variant=variant, max_shard_size=shards)
    assert bool(list(folder.rglob("*.index*.json"))) == (shards == "200KB")
    for part, network in networks.items():
        loaded = load_part(detect(folder), part, dtype=dtype, device=torch.device("cpu"))
        assert_same(loaded.state_dict(), network.state_dict())


def test_an_index_names_a_sharded_network_that_is_alone(tmp_path: Path) -> None:
    unet = unet_of("sdxl")
    unet.save_pretrained(tmp_path, max_shard_size="200KB")
    (tmp_path / "config.json").unlink()
    description = detect(tmp_path / "diffusion_pytorch_model.safetensors.index.json")
    assert (description.family, set(description.parts)) == ("sdxl", {"unet"})
    assert len({tensor.file for tensor in description.parts["unet"].tensors.values()}) > 1


@pytest.mark.parametrize(
    "stranger",
    [
        "control_model.input_hint_block.0.weight",
        "conditioner.embedders.0.open_clip.model.visual.proj",
        "model.diffusion_model.input_blocks.1.0.time_stack.in_layers.0.weight",
        "embedder.model.visual.proj",
        "model.diffusion_model.label_emb.weight",
    ],
)
def test_models_that_only_look_alike_are_not_taken(tmp_path: Path, stranger: str) -> None:
    path = write_original(tmp_path / "m.safetensors", "sdxl", states_of(networks_of("sdxl")))
    save_file({**load_file(path), stranger: torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(UnknownModelFormat, match=r"Known families: sd15 .*sd2 .*sdxl .*sdxl_refiner"):
        detect(tmp_path / "other.safetensors")


def test_a_fused_weight_that_cannot_be_split_is_named(tmp_path: Path) -> None:
    state = load_file(write_original(tmp_path / "m.safetensors", "sdxl", states_of(networks_of("sdxl"))))
    key = "conditioner.embedders.1.model.transformer.resblocks.1.attn.in_proj_weight"
    state[key] = state[key][:-1].contiguous()
    save_file(state, tmp_path / "odd.safetensors")
    with pytest.raises(ModelMismatch, match=r"transformer\.resblocks\.1\.attn\.in_proj_weight"):
        load_part(
            detect(tmp_path / "odd.safetensors"), "text_encoder_2", dtype=torch.float32, device=torch.device("cpu")
        )


def test_text_as_wide_as_two_encoders_is_what_the_base_takes(tmp_path: Path) -> None:
    config = detect(write_folder(tmp_path / "m", "sdxl", networks_of("sdxl"))).parts["unet"].config
    assert (config["cross_attention_dim"], config["addition_time_embed_dim"]) == (2 * WIDTH, SIZE_WIDTH)


def open_clip_shapes(layers: int, width: int, projection: int) -> dict[str, list[int]]:
    """Keys and shapes of a published OpenCLIP text encoder."""
    shapes = {
        "positional_embedding": [77, width],
        "token_embedding.weight": [49408, width],
        "ln_final.weight": [width],
        "ln_final.bias": [width],
        "text_projection": [width, projection],
        "logit_scale": [],
    }
    for layer in range(layers):
        inner = {
            "attn.in_proj_weight": [3 * width, width],
            "attn.in_proj_bias": [3 * width],
            "attn.out_proj.weight": [width, width],
            "attn.out_proj.bias": [width],
            "mlp.c_fc.weight": [4 * width, width],
            "mlp.c_fc.bias": [4 * width],
            "mlp.c_proj.weight": [width, 4 * width],
            "mlp.c_proj.bias": [width],
            **{f"{norm}.{leaf}": [width] for norm in ("ln_1", "ln_2") for leaf in ("weight", "bias")},
        }
        shapes |= {f"transformer.resblocks.{layer}.{name}": shape for name, shape in inner.items()}
    return shapes


def prefixed(prefix: str, shapes: dict[str, list[int]]) -> dict[str, list[int]]:
    return {prefix + name: shape for name, shape in shapes.items()}


def published(key_layouts: Path, family: str) -> dict[str, list[int]]:
    """Keys and shapes of the published checkpoint of a Stable Diffusion XL family."""
    with torch.device("meta"):
        clip = CLIPTextModel(CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12)).state_dict()
    clip_l = {f"text_model.{name}": list(tensor.shape) for name, tensor in clip.items()}
    clip_l["text_model.embeddings.position_ids"] = [1, 77]
    bigg = open_clip_shapes(32, 1280, 1280)
    shapes = {
        "sdxl": prefixed("conditioner.embedders.0.transformer.", clip_l)
        | prefixed("conditioner.embedders.1.model.", bigg),
        "sdxl_refiner": prefixed("conditioner.embedders.0.model.", bigg),
    }[family]
    unet = json.loads((key_layouts / f"network_{'sdxl_base' if family == 'sdxl' else family}.json").read_text())
    vae = json.loads((key_layouts / "autoencoder_kl.json").read_text())
    sigmas = {"denoiser.sigmas": [1000]}
    return prefixed("model.diffusion_model.", unet) | prefixed("first_stage_model.", vae) | shapes | sigmas


@pytest.fixture(scope="session")
def key_layouts(parity: Path) -> Path:
    folder = parity.parent.parent / "sgm" / "14_key_layouts"
    if not folder.is_dir():
        pytest.skip(f"no reference case at {folder}")
    return folder


@pytest.mark.parametrize(
    ("family", "unet_sizes", "elements"),
    [
        (
            "sdxl",
            {
                "block_out_channels": [320, 640, 1280],
                "transformer_layers_per_block": [1, 2, 10],
                "attention_head_dim": [5, 10, 20],
                "cross_attention_dim": 2048,
                "projection_class_embeddings_input_dim": 2816,
                "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
                "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
            },
            2_567_463_684,
        ),
        (
            "sdxl_refiner",
            {
                "block_out_channels": [384, 768, 1536, 1536],
                "transformer_layers_per_block": 4,
                "attention_head_dim": [6, 12, 24, 24],
                "cross_attention_dim": 1280,
                "projection_class_embeddings_input_dim": 2560,
                "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
                "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
            },
            2_259_526_660,
        ),
    ],
)
def test_the_published_xl_models_are_known_by_their_shapes(
    tmp_path: Path,
    key_layouts: Path,
    write_header: WriteHeader,
    family: str,
    unet_sizes: dict[str, object],
    elements: int,
) -> None:
    description = detect(write_header(tmp_path / "xl.safetensors", published(key_layouts, family)))
    unet, second = description.parts["unet"], description.parts["text_encoder_2"]
    assert (description.family, set(description.parts), unet.elements) == (family, PARTS[family], elements)
    assert {name: json.loads(json.dumps(unet.config[name])) for name in unet_sizes} == unet_sizes
    assert (unet.config["addition_time_embed_dim"], unet.config["addition_embed_type"]) == (256, "text_time")
    assert unet.config["use_linear_projection"]
    assert {name: second.config[name] for name in ("hidden_size", "num_hidden_layers", "num_attention_heads", "hidden_act", "projection_dim")} == {
        "hidden_size": 1280, "num_hidden_layers": 32, "num_attention_heads": 20, "hidden_act": "gelu", "projection_dim": 1280,
    }  # fmt: skip
    assert_buildable(description)
    alone = {
        name.removeprefix("model.diffusion_model."): shape
        for name, shape in published(key_layouts, family).items()
        if "diffusion" in name
    }
    assert detect(write_header(tmp_path / "unet.safetensors", alone)).family == family


def test_the_published_stable_diffusion_2_is_known_by_its_shapes(tmp_path: Path, write_header: WriteHeader) -> None:
    with torch.device("meta"):
        unet = UNet2DConditionModel(
            cross_attention_dim=1024, attention_head_dim=(5, 10, 20, 20), use_linear_projection=True
        ).state_dict()
    shapes = {name: list(tensor.shape) for name, tensor in to_original({"unet": unet}).items()}
    shapes |= prefixed("cond_stage_model.model.", {**open_clip_shapes(24, 1024, 1024), "attn_mask": [77, 77]})
    description = detect(write_header(tmp_path / "sd2.safetensors", shapes))
    config, text = description.parts["unet"].config, description.parts["text_encoder"].config
    assert (description.family, description.parts["unet"].elements) == ("sd2", 865_910_724)
    assert (config["attention_head_dim"], config["cross_attention_dim"]) == ([5, 10, 20, 20], 1024)
    assert (text["num_hidden_layers"], text["num_attention_heads"], text["hidden_act"]) == (23, 16, "gelu")
    assert_buildable(description)


def assert_buildable(description: ModelDescription) -> None:
    """The networks of the found configurations have exactly the weights of the file."""
    for name, part in description.parts.items():
        wanted = build_network(description.family, name, part.config).state_dict()
        assert part.unknown == ()
        assert {key: tuple(tensor.shape) for key, tensor in wanted.items()} == {
            key: tensor.shape if name != "vae" else tuple(wanted[key].shape) for key, tensor in part.tensors.items()
        }


def test_an_autoencoder_of_another_family_is_not_taken_without_its_configuration(tmp_path: Path) -> None:
    vae = AutoencoderKL(latent_channels=16, block_out_channels=(32,), scaling_factor=0.36)
    vae.save_pretrained(tmp_path / "vae")
    lone = Path(shutil.copy(tmp_path / "vae" / "diffusion_pytorch_model.safetensors", tmp_path / "alone.safetensors"))
    with pytest.raises(UnknownModelFormat):
        detect(lone)
    assert detect(tmp_path / "vae").parts["vae"].config["scaling_factor"] == 0.36


def test_a_unet_that_takes_its_guidance_is_measured(tmp_path: Path) -> None:
    with torch.device("meta"):
        tiny = {"block_out_channels": (32,), "down_block_types": ("CrossAttnDownBlock2D",), "layers_per_block": 1}
        unet = UNet2DConditionModel(**tiny, up_block_types=("CrossAttnUpBlock2D",), time_cond_proj_dim=24)
    save_file(
        {name: torch.zeros(tensor.shape) for name, tensor in unet.state_dict().items()}, tmp_path / "lcm.safetensors"
    )
    assert detect(tmp_path / "lcm.safetensors").parts["unet"].config["time_cond_proj_dim"] == 24
    assert weights(tmp_path / "lcm.safetensors", "unet").keys() == unet.state_dict().keys()
