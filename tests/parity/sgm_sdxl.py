"""Checks of the sgm cases on Stable Diffusion XL's network and on conditioners."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from graphflow.diffusion.clip_images import clip_pixels
from graphflow.diffusion.conditioner import Embedded, join_embedded, keep_samples
from graphflow.diffusion.denoise import VECTOR, UNetDenoiser
from graphflow.diffusion.embeddings import sinusoid
from graphflow.diffusion.frame_vectors import camera_angles, camera_vectors, motion_vectors
from graphflow.diffusion.guidance import BatchConditioning
from graphflow.diffusion.text import EncodedTokens
from graphflow.diffusion.text_sdxl import TIME_IDS, join_encoders, sdxl_conditioning, sdxl_vector, without_text
from graphflow.models import keymap
from graphflow.models.detect import detect
from graphflow.models.loaders import load_part
from tests.parity.cases import Case, Comparison

NETWORK = 3e-5
EMBEDDINGS, LARGE_NUMBERS, PICTURES = 1e-5, 2e-4, 1e-4

# --- 04_unet_sdxl --------------------------------------------------------------------------------------------------


def unet_sdxl(case: Case, comparison: Comparison) -> None:
    """The network by its upstream names: every block, and the output for whole and for broken timesteps."""
    comparison.tolerance = NETWORK
    params = case.config["network"]["params"]
    channels = [params["model_channels"] * factor for factor in params["channel_mult"]]
    hints = {
        "class_embed_type": "projection",
        "addition_embed_type": None,
        "attention_head_dim": [channel // params["num_head_channels"] for channel in channels],
    }
    description = detect(case.path / "model.safetensors", {"unet": hints})
    unet: Any = load_part(description, "unet", dtype=torch.float32, device=torch.device("cpu"))
    denoiser = UNetDenoiser(unet)
    blocks = _blocks(unet, set(case.expected))
    seen: dict[str, Tensor] = {}
    hooks = [module.register_forward_hook(_keep(seen, name)) for name, module in blocks.items()]
    comparison.tensor("output", _call(denoiser, case, case.inputs["timesteps"]))
    for hook in hooks:
        hook.remove()
    for name, tensor in seen.items():
        comparison.tensor(name, tensor)
    comparison.tensor("output_timesteps_float", _call(denoiser, case, case.inputs["timesteps"].float() + 0.37))


def _call(denoiser: UNetDenoiser, case: Case, timesteps: Tensor) -> Tensor:
    inputs = case.inputs
    with torch.no_grad():
        return denoiser(inputs["x"], timesteps, BatchConditioning(inputs["context"], extra={VECTOR: inputs["y"]}))


def _keep(seen: dict[str, Tensor], name: str) -> Any:
    def hook(module: nn.Module, arguments: Any, answer: Any) -> None:
        seen[name] = answer[0] if isinstance(answer, tuple) else getattr(answer, "sample", answer)

    return hook


def _blocks(unet: nn.Module, expected: set[str]) -> dict[str, nn.Module]:
    """Modules by the upstream names of the expected blocks; what the last module of a block makes is what the block makes."""
    outline = keymap.outline_of_diffusers(unet.state_dict())
    names = keymap.unet_renaming(outline, vector=keymap.CLASS_EMBEDDING).to_original
    modules = dict(unet.named_modules())
    found = {
        "time_embed": modules["time_embedding"],
        "label_emb": modules["class_embedding"],
        "middle_block": modules["mid_block.resnets.1"],
    }
    for path, original in sorted(names.items(), key=lambda pair: pair[1]):  # a block's last module comes last
        if path in modules:
            module = path.rpartition(".")[0] if ".resnets." in path else path
            found[".".join(original.split(".")[:2])] = modules[module]
    middle = "mid_block.attentions.0"
    found |= {
        path.replace(middle, "middle_block.1"): module for path, module in modules.items() if path.startswith(middle)
    }
    return {name: module for name, module in found.items() if name in expected}


# --- 09_conditioner ------------------------------------------------------------------------------------------------


def conditioner(case: Case, comparison: Comparison) -> None:
    """Embeddings of numbers, Stable Diffusion XL's conditioning, the rules of joining, video vectors, CLIP's pictures."""
    comparison.tolerance = LARGE_NUMBERS
    _embeddings(case, comparison)
    _xl_base(case, comparison)
    _xl_refiner(case, comparison)
    _video_vectors(case, comparison)
    comparison.tolerance = EMBEDDINGS
    _rules(case, comparison)
    _dropout(case, comparison)
    comparison.tolerance = PICTURES
    _clip_pictures(case, comparison)


def _embeddings(case: Case, comparison: Comparison) -> None:
    for name in case.expected:
        kind, _, rest = name.partition(".")
        if kind == "timestep_embedding":
            width, _, period = rest.partition(".max_period_")
            options = {"max_period": float(period)} if period else {}
            comparison.tensor(name, sinusoid(case.inputs["scalars"], int(width), **options))


def _compare_conditioning(comparison: Comparison, name: str, encoded: EncodedTokens, time_ids: Tensor) -> None:
    (entry,) = sdxl_conditioning(encoded, time_ids).entries
    assert entry.pooled is not None
    comparison.tensor(f"{name}.crossattn", entry.tokens)
    comparison.tensor(f"{name}.vector", sdxl_vector(entry.pooled, entry.extra[TIME_IDS]))


def _xl_base(case: Case, comparison: Comparison) -> None:
    inputs = case.inputs
    sizes = ("original_size_as_tuple", "crop_coords_top_left", "target_size_as_tuple")
    time_ids = torch.cat([inputs[f"batch.{size}"] for size in sizes], dim=1)
    positive, negative = (
        join_encoders(
            EncodedTokens(inputs[f"{side}clip_l"], torch.empty(0)),
            EncodedTokens(inputs[f"{side}bigg_hidden"], inputs[f"{side}bigg_pooled"]),
        )
        for side in ("", "uc_")
    )
    for name in ("sdxl_base", "sdxl_base_nozero"):
        _compare_conditioning(comparison, f"{name}.c", positive, time_ids)
    _compare_conditioning(comparison, "sdxl_base.uc", without_text(negative), time_ids)
    _compare_conditioning(comparison, "sdxl_base_nozero.uc", negative, time_ids)


def _xl_refiner(case: Case, comparison: Comparison) -> None:
    inputs = case.inputs
    sizes = [inputs["batch.original_size_as_tuple"], inputs["batch.crop_coords_top_left"]]
    for name, side, batch in (("c", "", "batch"), ("uc", "uc_", "batch_uc")):
        encoded = EncodedTokens(inputs[f"{side}bigg_hidden"], inputs[f"{side}bigg_pooled"])
        time_ids = torch.cat([*sizes, inputs[f"{batch}.aesthetic_score"]], dim=1)
        _compare_conditioning(comparison, f"sdxl_refiner.{name}", encoded, time_ids)


def _video_vectors(case: Case, comparison: Comparison) -> None:
    svd, orbit = case.config["svd"], case.config["sv3d_p"]
    frames = case.expected["svd.vector"].shape[0]
    comparison.tensor(
        "svd.vector",
        motion_vectors(frames, fps=svd["fps_id"], motion=svd["motion_bucket_id"], noise=svd["cond_aug"]),
    )
    polar, azimuth = camera_angles(orbit["elevations_deg"], orbit["azimuths_deg"])
    comparison.tensor("sv3d_p.polars_rad", polar)
    comparison.tensor("sv3d_p.azimuths_rad", azimuth)
    for name in ("sv3d_p.vector", "sv4d.vector"):
        comparison.tensor(name, camera_vectors(polar, azimuth, noise=orbit["cond_aug"]))


def _rules(case: Case, comparison: Comparison) -> None:
    embedded = [Embedded(name, [case.inputs[f"rules.{name}"]]) for name in case.config["rules_order"]]
    for side, zeroed in (("c", ("b4",)), ("uc", ("a2", "b3", "cond_view"))):
        for place, tensor in join_embedded(embedded, zeroed=zeroed).items():
            comparison.tensor(f"rules.{side}.{place}", tensor)


def _dropout(case: Case, comparison: Comparison) -> None:
    """The draw is the reference's; which samples it kept shows in its result."""
    kept = case.expected["dropout.out"].flatten(1).abs().amax(dim=1).gt(0).float()
    comparison.tensor("dropout.mask", kept)
    comparison.tensor("dropout.out", keep_samples(case.inputs["dropout.a3"], case.expected["dropout.mask"]))


def _clip_pictures(case: Case, comparison: Comparison) -> None:
    for name, sizes in case.config["clip_preprocess"].items():
        height, width = sizes["size"]
        y, x = torch.linspace(0, 1, height)[:, None], torch.linspace(0, 1, width)[None]
        channels = [
            torch.sin(9 * x + 3 * y),
            torch.cos(17 * x * y + 1),
            0.8 * torch.sign(torch.sin(25 * y) * torch.sin(31 * x)),
        ]
        pixels = clip_pixels(torch.stack(channels)[None])
        comparison.tensor(f"clip_preprocess.{name}.every4", pixels[..., ::4, ::4])
        comparison.tensor(f"clip_preprocess.{name}.rows0_111_223", pixels[..., [0, 111, 223], :])
