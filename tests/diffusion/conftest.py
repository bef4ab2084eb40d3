from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.schedulers import PNDMScheduler

from graphflow.ports import Conditioning, ConditioningEntry

WIDTH = 8
"""Width of the tiny networks' text conditioning."""


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def unet() -> Any:
    torch.manual_seed(0)
    return UNet2DConditionModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        sample_size=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=2,
        norm_num_groups=4,
    ).eval()


@pytest.fixture(scope="session")
def vae() -> Any:
    torch.manual_seed(1)
    return AutoencoderKL(
        block_out_channels=(8, 8),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
    ).eval()


@pytest.fixture(scope="session")
def published_scheduler() -> Any:
    """The scheduler settings of the published Stable Diffusion 1.5."""
    return PNDMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        skip_prk_steps=True,
        set_alpha_to_one=False,
        steps_offset=1,
        timestep_spacing="leading",
    ).config


@pytest.fixture
def pipeline(unet: Any, vae: Any, published_scheduler: Any) -> Any:
    """A plain diffusers pipeline around the tiny networks."""
    scheduler = PNDMScheduler.from_config(published_scheduler)
    pipe = StableDiffusionPipeline(vae, None, None, unet, scheduler, None, None, None, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture
def prompts() -> tuple[Conditioning, Conditioning]:
    """Positive and negative conditioning of random tokens."""
    tokens = torch.randn(2, 5, WIDTH, generator=torch.Generator().manual_seed(2))
    return tuple(Conditioning((ConditioningEntry(row[None]),)) for row in tokens)  # type: ignore[return-value]


@pytest.fixture
def noise() -> torch.Tensor:
    return torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(3))
