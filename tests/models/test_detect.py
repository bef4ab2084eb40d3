"""Family and sizes from keys and shapes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel

from graphflow.errors import ModelMismatch, UnknownModelFormat
from graphflow.models.detect import detect
from graphflow.models.loaders.stable_diffusion import to_original
from graphflow.ports import Denoiser, NoiseSpec, Vae

UNET_SIZES = (
    "in_channels", "out_channels", "block_out_channels", "layers_per_block", "down_block_types", "up_block_types",
    "cross_attention_dim", "transformer_layers_per_block", "use_linear_projection", "attention_head_dim", "norm_num_groups",
)  # fmt: skip


def plain(config: object, names: tuple[str, ...]) -> dict[str, object]:
    """The named entries, tuples as lists."""
    return {name: json.loads(json.dumps(config[name])) for name in names}  # type: ignore[index]


def test_a_diffusers_folder_is_described_by_its_configurations(model_folder: Path) -> None:
    description = detect(model_folder)
    assert (description.family, description.layout, set(description.parts)) == (
        "sd15",
        "diffusers",
        {"unet", "vae", "text_encoder"},
    )
    denoiser, vae = description.parts["unet"].recipe, description.parts["vae"].recipe
    assert isinstance(denoiser, Denoiser)
    assert isinstance(vae, Vae)
    assert denoiser.noise == NoiseSpec(
        prediction="v_prediction", beta_start=0.0001, beta_end=0.02, beta_schedule="linear"
    )
    assert (denoiser.sample_size, denoiser.latent_reduction, vae.reduction, vae.scaling_factor) == (16, 2, 2, 0.5)
    assert description.assumed == {}


def test_the_original_layout_gives_the_same_sizes_from_shapes(model_folder: Path, original_file: Path) -> None:
    folder, single = detect(model_folder), detect(original_file)
    assert single.layout == "original"
    assert plain(single.parts["unet"].config, UNET_SIZES) == plain(folder.parts["unet"].config, UNET_SIZES)
    for part in folder.parts:
        assert set(single.parts[part].tensors) == set(folder.parts[part].tensors)
    assert single.assumed["unet.attention_head_dim"] == "8"


def test_true_stable_diffusion_1_5_is_known_by_its_shapes(
    tmp_path: Path, write_header: Callable[[Path, dict[str, list[int]]], Path]
) -> None:
    with torch.device("meta"):
        parts = {
            "unet": UNet2DConditionModel(cross_attention_dim=768).state_dict(),
            "vae": AutoencoderKL(
                block_out_channels=(128, 256, 512, 512),
                layers_per_block=2,
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4,
            ).state_dict(),
            "text_encoder": CLIPTextModel(
                CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12)
            ).state_dict(),
        }
    shapes = {name: list(tensor.shape) for name, tensor in to_original(parts).items()}
    shapes |= {"model_ema.decay": [1], "alphas_cumprod": [1000]}
    shapes["cond_stage_model.transformer.text_model.embeddings.position_ids"] = [1, 77]
    description = detect(write_header(tmp_path / "sd15.safetensors", shapes))
    unet, vae, text = (description.parts[part].config for part in ("unet", "vae", "text_encoder"))
    assert plain(unet, UNET_SIZES) == {
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": [320, 640, 1280, 1280],
        "layers_per_block": 2,
        "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
        "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
        "cross_attention_dim": 768,
        "transformer_layers_per_block": 1,
        "use_linear_projection": False,
        "attention_head_dim": 8,
        "norm_num_groups": 32,
    }
    assert (vae["block_out_channels"], vae["layers_per_block"], vae["latent_channels"]) == ([128, 256, 512, 512], 2, 4)
    assert (text["hidden_size"], text["num_hidden_layers"], text["num_attention_heads"], text["vocab_size"]) == (
        768,
        12,
        12,
        49408,
    )
    assert (text["intermediate_size"], text["hidden_act"]) == (3072, "quick_gelu")
    assert description.parts["unet"].elements == 859_520_964
    assert isinstance(description.parts["unet"].recipe, Denoiser)
    assert description.parts["unet"].recipe.latent_reduction == 8
    assert all(not part.unknown for part in description.parts.values())


@pytest.mark.parametrize(
    "sizes",
    [
        {
            "block_out_channels": (32, 32, 64),
            "layers_per_block": 2,
            "attends": (True, False, True),
            "transformer_layers_per_block": 2,
        },
        {"block_out_channels": (32,), "layers_per_block": 1, "attends": (True,), "transformer_layers_per_block": 1},
        {
            "block_out_channels": (24, 48),
            "layers_per_block": 3,
            "attends": (False, False),
            "in_channels": 9,
            "use_linear_projection": True,
        },
    ],
)
def test_unets_of_any_shape_are_measured_in_both_layouts(
    tmp_path: Path, sizes: dict[str, object], write_header: Callable[[Path, dict[str, list[int]]], Path]
) -> None:
    attends: tuple[bool, ...] = sizes.pop("attends")  # type: ignore[assignment]
    given = {
        "in_channels": 4,
        "cross_attention_dim": 16,
        "norm_num_groups": 24 if sizes["block_out_channels"] == (24, 48) else 32,
        "down_block_types": tuple("CrossAttnDownBlock2D" if each else "DownBlock2D" for each in attends),
        "up_block_types": tuple("CrossAttnUpBlock2D" if each else "UpBlock2D" for each in reversed(attends)),
        **sizes,
    }
    with torch.device("meta"):
        state = UNet2DConditionModel(**given).state_dict()
    flat = detect(
        write_header(tmp_path / "d.safetensors", {name: list(tensor.shape) for name, tensor in state.items()})
    )
    shapes = {name: list(tensor.shape) for name, tensor in to_original({"unet": state}).items()}
    original = detect(write_header(tmp_path / "o.safetensors", shapes))
    names = tuple(given)
    assert plain(flat.parts["unet"].config, names) == plain(given, names)
    assert plain(original.parts["unet"].config, names) == plain(given, names)
    assert (flat.layout, original.layout) == ("diffusers", "original")


def test_a_hint_a_sidecar_or_metadata_tell_what_shapes_cannot(tmp_path: Path, original_file: Path) -> None:
    assert detect(original_file, {"unet": {"attention_head_dim": 2}}).parts["unet"].config["attention_head_dim"] == 2
    copy = tmp_path / "copy.safetensors"
    save_file(
        load_file(original_file), copy, metadata={"graphflow.config": json.dumps({"unet": {"attention_head_dim": 4}})}
    )
    assert detect(copy).parts["unet"].config["attention_head_dim"] == 4
    (tmp_path / "copy.safetensors.json").write_text(
        json.dumps({"unet": {"attention_head_dim": 16}, "scheduler": {"prediction_type": "v_prediction"}})
    )
    description = detect(copy)
    recipe = description.parts["unet"].recipe
    assert isinstance(recipe, Denoiser)
    assert (description.parts["unet"].config["attention_head_dim"], recipe.noise.prediction) == (16, "v_prediction")
    assert "unet.attention_head_dim" not in description.assumed


def test_single_networks_are_known_as_folder_and_as_file(model_folder: Path) -> None:
    assert set(detect(model_folder / "vae").parts) == {"vae"}
    vae = detect(model_folder / "vae" / "diffusion_pytorch_model.safetensors")
    assert vae.parts["vae"].config["scaling_factor"] == 0.5
    assert set(detect(model_folder / "text_encoder" / "model.safetensors").parts) == {"text_encoder"}


def test_a_configuration_that_contradicts_the_weights_is_an_error(tmp_path: Path, model_folder: Path) -> None:
    folder = shutil.copytree(model_folder, tmp_path / "m")
    config = json.loads((folder / "unet" / "config.json").read_text())
    (folder / "unet" / "config.json").write_text(json.dumps({**config, "cross_attention_dim": 768}))
    with pytest.raises(ModelMismatch, match="cross_attention_dim = 768, but the tensors have 64"):
        detect(folder)


def test_an_unknown_prediction_type_is_an_error(original_file: Path) -> None:
    with pytest.raises(ModelMismatch, match="prediction_type is 'psychic'; accepted are epsilon"):
        detect(original_file, {"scheduler": {"prediction_type": "psychic"}})


@pytest.mark.parametrize(
    "names",
    [
        ["lora_unet_mid_block_attentions_0_proj_in.lora_down.weight", "something.else"],
        ["conditioner.embedders.0.transformer.w", "model.diffusion_model.input_blocks.0.0.weight"],
        ["something.else"],
        [],
    ],
)
def test_an_unknown_file_is_reported_with_some_of_its_keys(
    tmp_path: Path, names: list[str], write_header: Callable[[Path, dict[str, list[int]]], Path]
) -> None:
    path = write_header(tmp_path / "x.safetensors", {name: [2, 2] for name in names})
    with pytest.raises(UnknownModelFormat, match="Known families: sd15") as caught:
        detect(path)
    assert all(name in str(caught.value) for name in names)


def test_a_lora_is_told_from_a_model(
    tmp_path: Path, write_header: Callable[[Path, dict[str, list[int]]], Path]
) -> None:
    names = [f"lora_unet_mid_block_attentions_0_proj_in.lora_{side}.weight" for side in ("down", "up")]
    with pytest.raises(UnknownModelFormat, match=r"x\.safetensors is a LoRA.*load_lora"):
        detect(write_header(tmp_path / "x.safetensors", {name: [2, 2] for name in names}))


def test_a_folder_that_is_no_model_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UnknownModelFormat, match=r"model_index\.json"):
        detect(tmp_path)


def test_describing_a_model_needs_no_torch(model_folder: Path, original_file: Path) -> None:
    program = (
        "import sys; from pathlib import Path; import graphflow.models.store, graphflow.models.catalog, graphflow.models.hub\n"
        "from graphflow.models.detect import detect; from graphflow.models.fingerprint import Fingerprints\n"
        "from graphflow.models.devices import salt; salt()\n"
        "for name in sys.argv[1:]: detect(Path(name)); Fingerprints().of_model(Path(name))\n"
        "print(*sorted({'torch', 'diffusers', 'transformers'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program, str(model_folder), str(original_file)],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n", "")
