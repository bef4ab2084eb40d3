"""A family with two text encoders, from the store to conditioning."""

from __future__ import annotations

from dataclasses import replace

import torch

from graphflow.cache import decode, encode
from graphflow.diffusion import UNetDenoiser
from graphflow.diffusion.guidance import BatchConditioning
from graphflow.diffusion.text_sdxl import PictureSizes, join_encoders, read_prompt, sdxl_conditioning
from graphflow.models.store import ModelStore
from graphflow.ports import Denoiser, TextEncoder
from tests.models.test_tokenizers import write_tokenizer
from tests.models.tiny_families import POOLED, SIZE_WIDTH, WIDTH, networks_of, states_of, write_original


def test_a_prompt_goes_through_both_encoders_and_the_denoiser(store: ModelStore) -> None:
    checkpoints = store.catalog.models_folder / "checkpoints"
    write_original(checkpoints / "xl.safetensors", "sdxl", states_of(networks_of("sdxl")))
    write_tokenizer(store.catalog.models_folder / "tokenizers" / "clip-vit-large-patch14", ["a", "fox"])
    parts = store.inspect("xl").parts
    first, second, denoiser = parts["text_encoder"], parts["text_encoder_2"], parts["unet"]
    assert isinstance(first, TextEncoder)
    assert isinstance(second, TextEncoder)
    assert isinstance(denoiser, Denoiser)
    read = []
    for recipe in (first, second):
        with store.use(recipe) as encoder:
            read.append(read_prompt(encoder, store.tokenizer(recipe), "a fox"))
    (entry,) = sdxl_conditioning(join_encoders(*read), PictureSizes(128, 128).base_ids()).entries
    assert entry.tokens.shape == (1, 16, 2 * WIDTH)
    assert entry.pooled is not None
    assert entry.pooled.shape == (1, POOLED)
    with store.use(denoiser) as unet, torch.no_grad():
        assert unet.config.addition_time_embed_dim == SIZE_WIDTH
        answer = UNetDenoiser(unet)(
            torch.zeros(1, 4, 8, 8), torch.tensor(500), BatchConditioning(entry.tokens, entry.pooled, entry.extra)
        )
    assert bool(answer.isfinite().all())


def test_a_recipe_with_its_second_encoder_is_cached_like_any_value() -> None:
    second = TextEncoder("xl", "0", "sdxl", "text_encoder_2", precision="bf16")
    recipe = replace(second, part="text_encoder", second=second)
    stored = encode(recipe)
    assert decode(stored.structure, stored.tensors, stored.arrays) == recipe
