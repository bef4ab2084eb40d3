from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from graphflow import Checkpoint, Conditioning, ConditioningEntry, Denoiser, TextEncoder, Vae
from graphflow.testing import FakeContext, FakeModels
from graphflow.zoo.tokenizer import write_tokenizer

WIDTH = 16
"""Width of the tiny networks' text conditioning."""


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(folder, ["a", "red", "blue", "circle", "on", "sand"], tokens=8)
    return CLIPTokenizer.from_pretrained(folder)


@pytest.fixture(scope="session")
def modules(tokenizer: Any) -> dict[str, Any]:
    """Tiny networks of the Stable Diffusion shape, with random weights."""
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        sample_size=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=2,
        norm_num_groups=4,
    )
    vae = AutoencoderKL(
        block_out_channels=(8, 8),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
    )
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=8,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    return {"unet": unet.eval(), "vae": vae.eval(), "text_encoder": text_encoder.eval()}


@pytest.fixture
def denoiser() -> Denoiser:
    return Denoiser("tiny", "0", "sd15", "unet", sample_size=8, latent_reduction=2)


@pytest.fixture
def text_encoder() -> TextEncoder:
    return TextEncoder("tiny", "0", "sd15", "text_encoder")


@pytest.fixture
def vae() -> Vae:
    return Vae("tiny", "0", "sd15", "vae", reduction=2)


@pytest.fixture
def context(
    tmp_path: Path, modules: dict[str, Any], tokenizer: Any, denoiser: Denoiser, text_encoder: TextEncoder, vae: Vae
) -> Callable[..., FakeContext]:
    """Makes contexts that hold the tiny networks."""
    checkpoint = Checkpoint("tiny", "sd15", "diffusers", {"unet": denoiser, "text_encoder": text_encoder, "vae": vae})

    def make(**options: Any) -> FakeContext:
        models = FakeModels(modules, checkpoints={"tiny": checkpoint}, tokenizers={"text_encoder": tokenizer})
        return FakeContext(tmp_path, models=models, **options)

    return make


@pytest.fixture
def ctx(context: Callable[..., FakeContext]) -> FakeContext:
    return context()


@pytest.fixture
def positive() -> Conditioning:
    return conditioning(1)


@pytest.fixture
def negative() -> Conditioning:
    return conditioning(2)


def conditioning(seed: int) -> Conditioning:
    tokens = torch.randn(1, 8, WIDTH, generator=torch.Generator().manual_seed(seed))
    return Conditioning((ConditioningEntry(tokens),))
