"""Diffusion as plain functions on tensors; no node and no graph in sight.

The pieces are separate, and any family can combine them:

    conditioner   prompt_syntax, prompts, text_sdxl         prompt -> Conditioning
    network       denoise.UNetDenoiser                      latents, timestep, tokens -> prediction
    guider        guidance.CfgGuider, guiders               network + prompts -> one prediction
    schedule      schedules.make_schedule                   which timesteps and noise levels to visit
    sampler       samplers.SAMPLERS, sampling.sample        walks down the schedule
    scaling       scalings.SCALINGS                         network -> denoiser by noise levels, for `solvers`
    autoencoder   vae.encode_pictures, vae.decode_latents   pictures <-> latents

Names load on first use, so that importing this package does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from graphflow.diffusion.blend_modes import BlendMode
from graphflow.diffusion.picture_sizes import Anchor, Filter, Fit, Sides
from graphflow.diffusion.prompt_syntax import TimedPrompt, Weighting, literal_prompt, parse_prompt
from graphflow.diffusion.refining import RefineMethod, refine_stages
from graphflow.diffusion.samplers import (
    SAMPLER_NAMES,
    SAMPLERS,
    SCHEDULE_NAMES,
    Sampler,
    SamplerName,
    find_sampler,
)
from graphflow.diffusion.sizes import latent_size, nearest_multiple
from graphflow.diffusion.text_choices import choose_text
from graphflow.ports.schedule import ScheduleName, Spacing

if TYPE_CHECKING:
    from graphflow.diffusion.alpha import blending_pixels, colour_values, filled, flattened, with_alpha, with_opacity
    from graphflow.diffusion.batches import same_batch
    from graphflow.diffusion.blending import blended
    from graphflow.diffusion.canny import canny_edges
    from graphflow.diffusion.colour import adjusted, greyed, inverted, matched_histograms, matched_statistics
    from graphflow.diffusion.comparison import Difference, difference
    from graphflow.diffusion.compositing import composite, paste
    from graphflow.diffusion.concat_channels import (
        depth_channels,
        inpaint_channels,
        with_channels,
        without_masked,
    )
    from graphflow.diffusion.conditionings import (
        averaged,
        combined,
        concatenated,
        during,
        in_area,
        in_mask,
        with_extra,
        with_strength,
        zeroed,
    )
    from graphflow.diffusion.controlnet import Residuals, Steering, steered
    from graphflow.diffusion.denoise import UNetDenoiser
    from graphflow.diffusion.edit_choices import (
        Channel,
        FeatherSide,
        LatentFilter,
        MaskCombination,
        MirrorAxis,
        QuarterTurns,
    )
    from graphflow.diffusion.filters import box_mean, gaussian_blur, sharpened
    from graphflow.diffusion.forward import add_noise, alphas_cumprod, betas, clean_estimate, sigma_table
    from graphflow.diffusion.frame_guidance import (
        FrameGuider,
        linear_scales,
        orbit_scales,
        trapezoid_scales,
        triangle_scales,
    )
    from graphflow.diffusion.generation import Sampled, sample_latent
    from graphflow.diffusion.guidance import CfgGuider, Network, cfg
    from graphflow.diffusion.guider_recipes import guider_of, opened_guider, ranged
    from graphflow.diffusion.guiders import (
        DualGuider,
        PerpendicularGuider,
        RangedGuider,
        RescaledGuider,
        WeakenedGuider,
        away_from,
        dual,
        perpendicular,
        rescaled,
    )
    from graphflow.diffusion.images import pil_from_pixels, pixels_from_pil
    from graphflow.diffusion.inpainting import KeptOutside
    from graphflow.diffusion.latent_geometry import (
        crop_latent,
        flip_latent,
        picture_size,
        resize_latent,
        rotate_latent,
    )
    from graphflow.diffusion.latent_mixing import (
        add_latents,
        batch_latents,
        blend_latents,
        composite_latents,
        pick_latents,
        repeat_latent,
    )
    from graphflow.diffusion.latent_space import check_latent_space, space_of, vae_of_family
    from graphflow.diffusion.levels import (
        beta_sigmas,
        ddpm_sigmas,
        edm_sigmas,
        exponential_sigmas,
        falling_levels,
        karras_sigmas,
        kl_optimal_sigmas,
    )
    from graphflow.diffusion.mask_boxes import PixelBox, cut_box, cut_out, mask_box, put_back, surroundings
    from graphflow.diffusion.mask_combination import combine_masks
    from graphflow.diffusion.mask_edges import blur_mask, feather_mask, grow_mask, shrink_mask
    from graphflow.diffusion.mask_holes import fill_holes
    from graphflow.diffusion.mask_selection import channel_mask, colour_mask, range_mask
    from graphflow.diffusion.mask_shapes import ellipse_mask, rectangle_mask
    from graphflow.diffusion.masks import area_mask, latent_mask
    from graphflow.diffusion.network import OpenedNetwork, opened_network
    from graphflow.diffusion.noise import Draws, draw_noise, empty_latents, left_latents, resumed_latents, start_latents
    from graphflow.diffusion.padding import Border, border_mask, pad_picture
    from graphflow.diffusion.picture_batches import joined_pictures, picked_pictures
    from graphflow.diffusion.picture_files import encode_jpeg, encode_png, encode_webp
    from graphflow.diffusion.preview import PROJECTIONS, fit_projection, preview_image, projection_of
    from graphflow.diffusion.prompts import count_tokens, read_timed_prompt, timed_conditioning
    from graphflow.diffusion.resizing import anchored, cut, placed, resized, resized_to
    from graphflow.diffusion.rotation import mirrored, rotated
    from graphflow.diffusion.sampling import Model, OnStep, sample
    from graphflow.diffusion.scalings import (
        SCALINGS,
        Coefficients,
        Denoise,
        ScaledDenoiser,
        Scaling,
        TableDenoiser,
        edm_scaling,
        epsilon_scaling,
        velocity_edm_scaling,
        velocity_scaling,
    )
    from graphflow.diffusion.schedules import Schedule, custom_schedule, make_schedule, schedule_of
    from graphflow.diffusion.text import (
        EncodedTokens,
        encode_prompt,
        encode_tokens,
        prompt_length,
        read_plain,
        token_ids,
    )
    from graphflow.diffusion.text_sdxl import (
        TIME_IDS,
        PictureSizes,
        join_encoders,
        read_prompt,
        read_tokens,
        sdxl_conditioning,
        sdxl_vector,
        with_own_sizes,
        without_text,
    )
    from graphflow.diffusion.tiled import Tiling
    from graphflow.diffusion.tiles import Tile, faded, tiles_of
    from graphflow.diffusion.training_noise import (
        constant_sigmas,
        edm_weight,
        epsilon_weight,
        even_weight,
        lognormal_sigmas,
        table_sigmas,
        velocity_weight,
    )
    from graphflow.diffusion.upscaling import upscaled
    from graphflow.diffusion.vae import (
        Posterior,
        decode_latents,
        decode_raw,
        encode_pictures,
        latent_shape,
        posterior,
        to_model_range,
        to_pixels,
    )
    from graphflow.diffusion.weakened import PerturbedAttention, SkippedLayers

_MODULE_OF: dict[str, str] = {
    name: module
    for module, names in {
        "tiles": "Tile faded tiles_of",
        "upscaling": "upscaled",
        "picture_batches": "joined_pictures picked_pictures",
        "comparison": "Difference difference",
        "rotation": "mirrored rotated",
        "blending": "blended",
        "colour": "adjusted greyed inverted matched_histograms matched_statistics",
        "filters": "gaussian_blur box_mean sharpened",
        "picture_files": "encode_jpeg encode_png encode_webp",
        "alpha": "blending_pixels colour_values filled flattened with_alpha with_opacity",
        "resizing": "anchored cut placed resized resized_to",
        "canny": "canny_edges",
        "controlnet": "Residuals Steering steered",
        "conditionings": "averaged combined concatenated during in_area in_mask with_extra with_strength zeroed",
        "denoise": "UNetDenoiser",
        "forward": "add_noise alphas_cumprod betas clean_estimate sigma_table",
        "generation": "Sampled sample_latent",
        "guidance": "CfgGuider Network cfg",
        "images": "pil_from_pixels pixels_from_pil",
        "inpainting": "KeptOutside",
        "latent_space": "check_latent_space space_of vae_of_family",
        "batches": "same_batch",
        "compositing": "composite paste",
        "edit_choices": "Channel FeatherSide LatentFilter MaskCombination MirrorAxis QuarterTurns",
        "latent_geometry": "crop_latent flip_latent picture_size resize_latent rotate_latent",
        "latent_mixing": "add_latents batch_latents blend_latents composite_latents pick_latents repeat_latent",
        "mask_boxes": "PixelBox cut_box cut_out mask_box put_back surroundings",
        "mask_combination": "combine_masks",
        "mask_holes": "fill_holes",
        "mask_selection": "channel_mask colour_mask range_mask",
        "concat_channels": "depth_channels inpaint_channels with_channels without_masked",
        "padding": "Border border_mask pad_picture",
        "mask_edges": "blur_mask feather_mask grow_mask shrink_mask",
        "mask_shapes": "ellipse_mask rectangle_mask",
        "masks": "area_mask latent_mask",
        "network": "OpenedNetwork opened_network",
        "noise": "Draws draw_noise empty_latents left_latents resumed_latents start_latents",
        "guider_recipes": "guider_of opened_guider ranged",
        "preview": "PROJECTIONS fit_projection preview_image projection_of",
        "prompts": "count_tokens read_timed_prompt timed_conditioning",
        "sampling": "Model OnStep sample",
        "schedules": "Schedule custom_schedule make_schedule schedule_of",
        "text": "EncodedTokens encode_prompt encode_tokens prompt_length read_plain token_ids",
        "frame_guidance": "FrameGuider linear_scales orbit_scales trapezoid_scales triangle_scales",
        "guiders": "DualGuider PerpendicularGuider RangedGuider RescaledGuider "
        "WeakenedGuider away_from dual perpendicular rescaled",
        "levels": "beta_sigmas ddpm_sigmas edm_sigmas exponential_sigmas falling_levels karras_sigmas kl_optimal_sigmas",
        "scalings": "SCALINGS Coefficients Denoise ScaledDenoiser Scaling "
        "TableDenoiser edm_scaling epsilon_scaling velocity_edm_scaling velocity_scaling",
        "training_noise": "constant_sigmas edm_weight epsilon_weight "
        "even_weight lognormal_sigmas table_sigmas velocity_weight",
        "weakened": "PerturbedAttention SkippedLayers",
        "text_sdxl": "TIME_IDS PictureSizes join_encoders read_prompt read_tokens sdxl_conditioning sdxl_vector "
        "with_own_sizes without_text",
        "tiled": "Tiling",
        "vae": "Posterior decode_latents decode_raw encode_pictures latent_shape posterior to_model_range to_pixels",
    }.items()
    for name in names.split()
}

__all__ = [
    "PROJECTIONS",
    "SAMPLERS",
    "SAMPLER_NAMES",
    "SCALINGS",
    "SCHEDULE_NAMES",
    "TIME_IDS",
    "Anchor",
    "BlendMode",
    "Border",
    "CfgGuider",
    "Channel",
    "Coefficients",
    "Denoise",
    "Difference",
    "Draws",
    "DualGuider",
    "EncodedTokens",
    "FeatherSide",
    "Filter",
    "Fit",
    "FrameGuider",
    "KeptOutside",
    "LatentFilter",
    "MaskCombination",
    "MirrorAxis",
    "Model",
    "Network",
    "OnStep",
    "OpenedNetwork",
    "PerpendicularGuider",
    "PerturbedAttention",
    "PictureSizes",
    "PixelBox",
    "Posterior",
    "QuarterTurns",
    "RangedGuider",
    "RefineMethod",
    "RescaledGuider",
    "Residuals",
    "Sampled",
    "Sampler",
    "SamplerName",
    "ScaledDenoiser",
    "Scaling",
    "Schedule",
    "ScheduleName",
    "Sides",
    "SkippedLayers",
    "Spacing",
    "Steering",
    "TableDenoiser",
    "Tile",
    "Tiling",
    "TimedPrompt",
    "UNetDenoiser",
    "WeakenedGuider",
    "Weighting",
    "add_latents",
    "add_noise",
    "adjusted",
    "alphas_cumprod",
    "anchored",
    "area_mask",
    "averaged",
    "away_from",
    "batch_latents",
    "beta_sigmas",
    "betas",
    "blend_latents",
    "blended",
    "blending_pixels",
    "blur_mask",
    "border_mask",
    "box_mean",
    "canny_edges",
    "cfg",
    "channel_mask",
    "check_latent_space",
    "choose_text",
    "clean_estimate",
    "colour_mask",
    "colour_values",
    "combine_masks",
    "combined",
    "composite",
    "composite_latents",
    "concatenated",
    "constant_sigmas",
    "count_tokens",
    "crop_latent",
    "custom_schedule",
    "cut",
    "cut_box",
    "cut_out",
    "ddpm_sigmas",
    "decode_latents",
    "decode_raw",
    "depth_channels",
    "difference",
    "draw_noise",
    "dual",
    "during",
    "edm_scaling",
    "edm_sigmas",
    "edm_weight",
    "ellipse_mask",
    "empty_latents",
    "encode_jpeg",
    "encode_pictures",
    "encode_png",
    "encode_prompt",
    "encode_tokens",
    "encode_webp",
    "epsilon_scaling",
    "epsilon_weight",
    "even_weight",
    "exponential_sigmas",
    "faded",
    "falling_levels",
    "feather_mask",
    "fill_holes",
    "filled",
    "find_sampler",
    "fit_projection",
    "flattened",
    "flip_latent",
    "gaussian_blur",
    "greyed",
    "grow_mask",
    "guider_of",
    "in_area",
    "in_mask",
    "inpaint_channels",
    "inverted",
    "join_encoders",
    "joined_pictures",
    "karras_sigmas",
    "kl_optimal_sigmas",
    "latent_mask",
    "latent_shape",
    "latent_size",
    "left_latents",
    "linear_scales",
    "literal_prompt",
    "lognormal_sigmas",
    "make_schedule",
    "mask_box",
    "matched_histograms",
    "matched_statistics",
    "mirrored",
    "nearest_multiple",
    "opened_guider",
    "opened_network",
    "orbit_scales",
    "pad_picture",
    "parse_prompt",
    "paste",
    "perpendicular",
    "pick_latents",
    "picked_pictures",
    "picture_size",
    "pil_from_pixels",
    "pixels_from_pil",
    "placed",
    "posterior",
    "preview_image",
    "projection_of",
    "prompt_length",
    "put_back",
    "range_mask",
    "ranged",
    "read_plain",
    "read_prompt",
    "read_timed_prompt",
    "read_tokens",
    "rectangle_mask",
    "refine_stages",
    "repeat_latent",
    "rescaled",
    "resize_latent",
    "resized",
    "resized_to",
    "resumed_latents",
    "rotate_latent",
    "rotated",
    "same_batch",
    "sample",
    "sample_latent",
    "schedule_of",
    "sdxl_conditioning",
    "sdxl_vector",
    "sharpened",
    "shrink_mask",
    "sigma_table",
    "space_of",
    "start_latents",
    "steered",
    "surroundings",
    "table_sigmas",
    "tiles_of",
    "timed_conditioning",
    "to_model_range",
    "to_pixels",
    "token_ids",
    "trapezoid_scales",
    "triangle_scales",
    "upscaled",
    "vae_of_family",
    "velocity_edm_scaling",
    "velocity_scaling",
    "velocity_weight",
    "with_alpha",
    "with_channels",
    "with_extra",
    "with_opacity",
    "with_own_sizes",
    "with_strength",
    "without_masked",
    "without_text",
    "zeroed",
]


def __getattr__(name: str) -> Any:  # what is asked for decides the type; checkers read the imports above
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
