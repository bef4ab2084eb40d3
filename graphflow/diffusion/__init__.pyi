# The names of this package, each with the module that has it: read by type checkers, and on first use by Python.

from .alpha import (
    blending_pixels as blending_pixels,
    colour_values as colour_values,
    filled as filled,
    flattened as flattened,
    with_alpha as with_alpha,
    with_opacity as with_opacity,
)
from .batches import same_batch as same_batch
from .blend_modes import BlendMode as BlendMode
from .blending import blended as blended
from .canny import CannyMethod as CannyMethod, canny_edges as canny_edges
from .colour import (
    adjusted as adjusted,
    greyed as greyed,
    inverted as inverted,
    matched_histograms as matched_histograms,
    matched_statistics as matched_statistics,
)
from .comparison import Difference as Difference, difference as difference
from .compositing import composite as composite, paste as paste
from .concat_channels import (
    depth_channels as depth_channels,
    inpaint_channels as inpaint_channels,
    with_channels as with_channels,
    without_masked as without_masked,
)
from .conditionings import (
    averaged as averaged,
    combined as combined,
    concatenated as concatenated,
    during as during,
    in_area as in_area,
    in_mask as in_mask,
    with_extra as with_extra,
    with_strength as with_strength,
    zeroed as zeroed,
)
from .controlnet import Residuals as Residuals, Steering as Steering, steered as steered
from .denoise import UNetDenoiser as UNetDenoiser
from .edit_choices import (
    Channel as Channel,
    FeatherSide as FeatherSide,
    LatentFilter as LatentFilter,
    MaskCombination as MaskCombination,
    MirrorAxis as MirrorAxis,
    QuarterTurns as QuarterTurns,
)
from .filters import box_mean as box_mean, gaussian_blur as gaussian_blur, sharpened as sharpened
from .forward import (
    add_noise as add_noise,
    alphas_cumprod as alphas_cumprod,
    betas as betas,
    clean_estimate as clean_estimate,
    sigma_table as sigma_table,
)
from .frame_guidance import (
    FrameGuider as FrameGuider,
    linear_scales as linear_scales,
    orbit_scales as orbit_scales,
    trapezoid_scales as trapezoid_scales,
    triangle_scales as triangle_scales,
)
from .generation import Sampled as Sampled, sample_latent as sample_latent
from .guidance import BatchConditioning as BatchConditioning, CfgGuider as CfgGuider, Network as Network, cfg as cfg
from .guider_recipes import guider_of as guider_of, opened_guider as opened_guider, ranged as ranged
from .guiders import (
    DualGuider as DualGuider,
    PerpendicularGuider as PerpendicularGuider,
    RangedGuider as RangedGuider,
    RescaledGuider as RescaledGuider,
    WeakenedGuider as WeakenedGuider,
    away_from as away_from,
    dual as dual,
    perpendicular as perpendicular,
    rescaled as rescaled,
)
from .images import pil_from_pixels as pil_from_pixels, pixels_from_pil as pixels_from_pil
from .inpainting import KeptOutside as KeptOutside
from .latent_geometry import (
    crop_latent as crop_latent,
    flip_latent as flip_latent,
    picture_size as picture_size,
    resize_latent as resize_latent,
    rotate_latent as rotate_latent,
)
from .latent_mixing import (
    add_latents as add_latents,
    batch_latents as batch_latents,
    blend_latents as blend_latents,
    composite_latents as composite_latents,
    pick_latents as pick_latents,
    repeat_latent as repeat_latent,
)
from .latent_space import check_latent_space as check_latent_space, space_of as space_of, vae_of_family as vae_of_family
from .levels import (
    beta_sigmas as beta_sigmas,
    ddpm_sigmas as ddpm_sigmas,
    edm_sigmas as edm_sigmas,
    exponential_sigmas as exponential_sigmas,
    falling_levels as falling_levels,
    karras_sigmas as karras_sigmas,
    kl_optimal_sigmas as kl_optimal_sigmas,
)
from .mask_boxes import (
    PixelBox as PixelBox,
    cut_box as cut_box,
    cut_out as cut_out,
    mask_box as mask_box,
    put_back as put_back,
    surroundings as surroundings,
)
from .mask_combination import combine_masks as combine_masks
from .mask_edges import (
    blur_mask as blur_mask,
    feather_mask as feather_mask,
    grow_mask as grow_mask,
    shrink_mask as shrink_mask,
)
from .mask_holes import fill_holes as fill_holes
from .mask_selection import channel_mask as channel_mask, colour_mask as colour_mask, range_mask as range_mask
from .mask_shapes import ellipse_mask as ellipse_mask, rectangle_mask as rectangle_mask
from .masks import area_mask as area_mask, latent_mask as latent_mask
from .network import OpenedNetwork as OpenedNetwork, opened_network as opened_network
from .noise import (
    Draws as Draws,
    draw_noise as draw_noise,
    empty_latents as empty_latents,
    left_latents as left_latents,
    resumed_latents as resumed_latents,
    start_latents as start_latents,
)
from .padding import Border as Border, border_mask as border_mask, pad_picture as pad_picture
from .picture_batches import joined_pictures as joined_pictures, picked_pictures as picked_pictures
from .picture_files import encode_jpeg as encode_jpeg, encode_png as encode_png, encode_webp as encode_webp
from .picture_sizes import Anchor as Anchor, Filter as Filter, Fit as Fit, Sides as Sides
from .preview import (
    PROJECTIONS as PROJECTIONS,
    fit_projection as fit_projection,
    preview_image as preview_image,
    projection_of as projection_of,
)
from .prompt_syntax import (
    TimedPrompt as TimedPrompt,
    Weighting as Weighting,
    literal_prompt as literal_prompt,
    parse_prompt as parse_prompt,
)
from .prompts import (
    count_tokens as count_tokens,
    read_timed_prompt as read_timed_prompt,
    timed_conditioning as timed_conditioning,
)
from .refining import RefineMethod as RefineMethod, refine_stages as refine_stages
from .resizing import anchored as anchored, cut as cut, placed as placed, resized as resized, resized_to as resized_to
from .rotation import mirrored as mirrored, rotated as rotated
from .samplers import (
    SAMPLER_NAMES as SAMPLER_NAMES,
    SAMPLERS as SAMPLERS,
    SCHEDULE_NAMES as SCHEDULE_NAMES,
    Sampler as Sampler,
    SamplerName as SamplerName,
    ScheduleName as ScheduleName,
    Spacing as Spacing,
    find_sampler as find_sampler,
)
from .sampling import Model as Model, OnStep as OnStep, sample as sample
from .scalings import (
    SCALINGS as SCALINGS,
    Coefficients as Coefficients,
    Denoise as Denoise,
    ScaledDenoiser as ScaledDenoiser,
    Scaling as Scaling,
    TableDenoiser as TableDenoiser,
    edm_scaling as edm_scaling,
    epsilon_scaling as epsilon_scaling,
    velocity_edm_scaling as velocity_edm_scaling,
    velocity_scaling as velocity_scaling,
)
from .schedules import (
    Schedule as Schedule,
    custom_schedule as custom_schedule,
    make_schedule as make_schedule,
    schedule_of as schedule_of,
)
from .sizes import latent_size as latent_size, nearest_multiple as nearest_multiple
from .text import (
    EncodedTokens as EncodedTokens,
    encode_prompt as encode_prompt,
    encode_tokens as encode_tokens,
    prompt_length as prompt_length,
    read_plain as read_plain,
    token_ids as token_ids,
)
from .text_choices import choose_text as choose_text
from .text_sdxl import (
    TIME_IDS as TIME_IDS,
    PictureSizes as PictureSizes,
    join_encoders as join_encoders,
    read_prompt as read_prompt,
    read_tokens as read_tokens,
    sdxl_conditioning as sdxl_conditioning,
    sdxl_vector as sdxl_vector,
    with_own_sizes as with_own_sizes,
    without_text as without_text,
)
from .tiled import Tiling as Tiling
from .tiles import Tile as Tile, faded as faded, tiles_of as tiles_of
from .training_noise import (
    constant_sigmas as constant_sigmas,
    edm_weight as edm_weight,
    epsilon_weight as epsilon_weight,
    even_weight as even_weight,
    lognormal_sigmas as lognormal_sigmas,
    table_sigmas as table_sigmas,
    velocity_weight as velocity_weight,
)
from .upscaling import upscaled as upscaled
from .vae import (
    Posterior as Posterior,
    decode_latents as decode_latents,
    decode_raw as decode_raw,
    encode_pictures as encode_pictures,
    latent_shape as latent_shape,
    posterior as posterior,
    to_model_range as to_model_range,
    to_pixels as to_pixels,
)
from .weakened import PerturbedAttention as PerturbedAttention, SkippedLayers as SkippedLayers
