"""Stable Diffusion XL's conditioning and network, against the pipelines of diffusers on tiny models."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from transformers import AutoTokenizer, CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from graphflow.diffusion import CfgGuider, UNetDenoiser, draw_noise, make_schedule, sample, start_latents
from graphflow.diffusion.guidance import BatchConditioning
from graphflow.diffusion.text import EncodedTokens
from graphflow.diffusion.text_sdxl import (
    PictureSizes,
    join_encoders,
    read_prompt,
    read_tokens,
    sdxl_conditioning,
    with_own_sizes,
    without_text,
)
from graphflow.ports import Conditioning, ConditioningEntry, NoiseSpec
from graphflow.zoo.tokenizer import write_tokenizer

LENGTH = 12
WORDS = ("red", "blue", "circle", "star", "ring", "sand", "night")
WIDTH = 16
POOLED = 8
SIZE_WIDTH = 4


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """One that pads with the end token, and one that pads with token 0."""
    folder = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(folder, WORDS, tokens=LENGTH)
    first, second = (AutoTokenizer.from_pretrained(str(folder)) for _ in range(2))
    first.pad_token = first.eos_token
    second.pad_token = second.convert_ids_to_tokens(0)
    return first, second


def text_config(tokenizer: Any, act: str) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=32, num_hidden_layers=3, num_attention_heads=2,
        max_position_embeddings=LENGTH, projection_dim=POOLED, hidden_act=act, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip


@pytest.fixture(scope="module")
def encoders(tokenizers: tuple[Any, Any]) -> tuple[Any, Any]:
    torch.manual_seed(0)
    first, second = tokenizers
    return (
        CLIPTextModel(text_config(first, "quick_gelu")).eval(),
        CLIPTextModelWithProjection(text_config(second, "gelu")).eval(),
    )


def make_unet(*, text_width: int, sizes: int) -> Any:
    torch.manual_seed(1)
    return UNet2DConditionModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        sample_size=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=text_width,
        attention_head_dim=(2, 4),
        transformer_layers_per_block=(1, 2),
        use_linear_projection=True,
        norm_num_groups=4,
        addition_embed_type="text_time",
        addition_time_embed_dim=SIZE_WIDTH,
        projection_class_embeddings_input_dim=POOLED + sizes * SIZE_WIDTH,
    ).eval()


@pytest.fixture(scope="module")
def unet() -> Any:
    return make_unet(text_width=2 * WIDTH, sizes=6)


@pytest.fixture
def pipeline(unet: Any, encoders: tuple[Any, Any], tokenizers: tuple[Any, Any], vae: Any) -> Any:
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="leading", steps_offset=1
    )
    pipe = StableDiffusionXLPipeline(vae, *encoders, *tokenizers, unet, scheduler, add_watermarker=False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def read_both(encoders: tuple[Any, Any], tokenizers: tuple[Any, Any], prompt: str, clip_skip: int = 0) -> EncodedTokens:
    read = [
        read_prompt(encoder, tokenizer, prompt, clip_skip=clip_skip)
        for encoder, tokenizer in zip(encoders, tokenizers, strict=True)
    ]
    return join_encoders(*read)


@pytest.mark.parametrize("prompt", ["a red circle on sand", "", "a big blue star and a ring on night"])
@pytest.mark.parametrize("clip_skip", [0, 1])
def test_a_prompt_is_encoded_as_the_pipeline_encodes_it(
    pipeline: Any, encoders: tuple[Any, Any], tokenizers: tuple[Any, Any], prompt: str, clip_skip: int
) -> None:
    with torch.no_grad():
        tokens, _, pooled, _ = pipeline.encode_prompt(prompt, clip_skip=clip_skip, do_classifier_free_guidance=False)
    encoded = read_both(encoders, tokenizers, prompt, clip_skip)
    assert torch.equal(encoded.hidden, tokens)
    assert torch.equal(encoded.pooled, pooled)


def test_no_negative_prompt_is_all_zeros_as_in_the_pipeline(
    pipeline: Any, encoders: tuple[Any, Any], tokenizers: tuple[Any, Any]
) -> None:
    with torch.no_grad():
        _, tokens, _, pooled = pipeline.encode_prompt("a red circle")
    nothing = without_text(read_both(encoders, tokenizers, "a red circle"))
    assert torch.equal(nothing.hidden, tokens)
    assert torch.equal(nothing.pooled, pooled)


def test_the_base_samples_what_the_pipeline_samples(
    pipeline: Any, unet: Any, encoders: tuple[Any, Any], tokenizers: tuple[Any, Any]
) -> None:
    sizes = PictureSizes(1023, 1000, original_height=700, original_width=513, crop_top=3, crop_left=257)
    generator = torch.Generator().manual_seed(5)
    noise = draw_noise((1, 4, 8, 8), generator)
    expected = pipeline(
        "a red circle on sand",
        negative_prompt="a blue star",
        height=16,
        width=16,
        original_size=(700, 513),
        crops_coords_top_left=(3, 257),
        target_size=(1023, 1000),
        negative_original_size=(700, 513),
        negative_crops_coords_top_left=(3, 257),
        negative_target_size=(1023, 1000),
        num_inference_steps=3,
        guidance_scale=4.0,
        latents=noise.clone(),
        output_type="latent",
    ).images
    positive, negative = (
        sdxl_conditioning(read_both(encoders, tokenizers, prompt), sizes.base_ids())
        for prompt in ("a red circle on sand", "a blue star")
    )
    spec = NoiseSpec()
    schedule = make_schedule(spec, "euler", steps=3, kind="normal", spacing="leading")
    guider = CfgGuider(UNetDenoiser(unet), positive, negative, 4.0, spec)
    start = start_latents(torch.zeros_like(noise), noise, schedule)
    result = sample(guider, start, schedule, generator=generator)
    torch.testing.assert_close(left(result, schedule), expected, rtol=1e-4, atol=1e-4)


def left(samples: torch.Tensor, schedule: Any) -> torch.Tensor:
    from graphflow.diffusion import left_latents

    return left_latents(samples, schedule)


def test_the_refiner_takes_a_score_in_place_of_the_size(encoders: tuple[Any, Any], tokenizers: tuple[Any, Any]) -> None:
    refiner = make_unet(text_width=WIDTH, sizes=5)
    encoded = read_prompt(encoders[1], tokenizers[1], "a red circle")
    ids = PictureSizes(64, 48, crop_left=2).refiner_ids(6.5)
    assert ids.tolist() == [[64.0, 48.0, 0.0, 2.0, 6.5]]
    (entry,) = sdxl_conditioning(encoded, ids).entries
    latents, time = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0)), torch.tensor(400)
    with torch.no_grad():
        expected = refiner(
            latents, time, entry.tokens, added_cond_kwargs={"text_embeds": entry.pooled, "time_ids": ids}
        ).sample
        answer = UNetDenoiser(refiner)(latents, time, BatchConditioning(entry.tokens, entry.pooled, entry.extra))
    torch.testing.assert_close(answer, expected)


def conditioned(width: int = 2 * WIDTH, sizes: int = 6) -> dict[str, Any]:
    return {
        "tokens": torch.zeros(1, LENGTH, width),
        "pooled": torch.zeros(1, POOLED),
        "extra": {"time_ids": torch.zeros(1, sizes)},
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pooled": None}, "the pooled text and the sizes of the picture, which the conditioning lacks"),
        ({"extra": {}}, "the pooled text and the sizes of the picture, which the conditioning lacks"),
        ({"extra": {"time_ids": torch.zeros(1, 5)}}, "5 sizes do not fit this denoiser.*takes 6 sizes, its refiner 5"),
        ({"pooled": torch.zeros(1, 7)}, "pooled text 7 wide and 6 sizes do not fit"),
        (
            {"extra": {"time_ids": torch.zeros(1, 6), "map": torch.zeros(1)}},
            "takes time_ids extra conditioning, but was given map",
        ),
        ({"tokens": torch.zeros(1, LENGTH, WIDTH)}, "conditioning 16 wide does not fit a denoiser that takes 32"),
    ],
)
def test_conditioning_of_another_family_is_refused_in_words(unet: Any, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        UNetDenoiser(unet)(torch.zeros(1, 4, 8, 8), torch.tensor(1), BatchConditioning(**{**conditioned(), **change}))


def test_sizes_keep_all_their_digits_in_half_precision(unet: Any) -> None:
    import copy

    half = copy.deepcopy(unet).to(torch.bfloat16)
    seen: list[torch.Tensor] = []
    half.add_time_proj.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    ids = PictureSizes(1023, 1017).base_ids()
    inputs = {**conditioned(), "extra": {"time_ids": ids}}
    UNetDenoiser(half)(torch.zeros(1, 4, 8, 8), torch.tensor(1), BatchConditioning(**inputs))
    assert seen[0].tolist() == ids.flatten().tolist()


def test_prompts_of_several_sizes_share_a_batch(unet: Any) -> None:
    entries = [
        Conditioning(
            sdxl_conditioning(EncodedTokens(torch.randn(1, LENGTH, 2 * WIDTH), torch.randn(1, POOLED)), ids).entries
        )
        for ids in (PictureSizes(16, 16).base_ids(), PictureSizes(32, 32).base_ids())
    ]
    noise = torch.randn(2, 4, 8, 8)
    network = UNetDenoiser(unet)
    both = CfgGuider(network, *entries, 3.0, NoiseSpec())(noise, torch.tensor(500))
    apart = [CfgGuider(network, side, None, 1.0, NoiseSpec())(noise, torch.tensor(500)) for side in entries]
    torch.testing.assert_close(both, apart[1] + 3.0 * (apart[0] - apart[1]), rtol=1e-4, atol=1e-5)


def test_a_prompt_that_is_too_long_says_which_words_were_lost(
    encoders: tuple[Any, Any], tokenizers: tuple[Any, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        read_prompt(encoders[1], tokenizers[1], "a red circle " * 6)
    assert "left out:" in caplog.text


@pytest.mark.parametrize("skip", [-1, 2])
def test_more_layers_than_there_are_cannot_be_skipped(encoders: tuple[Any, Any], skip: int) -> None:
    with pytest.raises(ValueError, match=f"clip skip {skip} is out of range .* of 3 layers.*use 0 to 1"):
        read_tokens(encoders[0], torch.zeros(1, LENGTH, dtype=torch.long), clip_skip=skip)


def test_encoders_that_read_different_lengths_cannot_be_joined() -> None:
    with pytest.raises(ValueError, match=r"the first text encoder read \[1, 4\].*the second \[1, 5\]"):
        join_encoders(
            EncodedTokens(torch.zeros(1, 4, 2), torch.zeros(1, 2)),
            EncodedTokens(torch.zeros(1, 5, 2), torch.zeros(1, 2)),
        )


def test_channels_beside_the_latents_go_into_inpainting_and_depth_unets(tmp_path: Path) -> None:
    torch.manual_seed(2)
    wide: Any = UNet2DConditionModel(
        in_channels=9, block_out_channels=(8,), layers_per_block=1, down_block_types=("CrossAttnDownBlock2D",),
        up_block_types=("CrossAttnUpBlock2D",), cross_attention_dim=8, attention_head_dim=2, norm_num_groups=4,
    ).eval()  # fmt: skip
    latents, beside, tokens = torch.randn(2, 4, 8, 8), torch.randn(2, 5, 8, 8), torch.randn(2, 3, 8)
    network, time = UNetDenoiser(wide), torch.tensor(7)
    with torch.no_grad():
        expected = wide(torch.cat([latents, beside], dim=1), time, tokens).sample
    torch.testing.assert_close(network(latents, time, BatchConditioning(tokens, extra={"concat": beside})), expected)
    with pytest.raises(ValueError, match="5 of them beside the latents"):
        network(latents, time, BatchConditioning(tokens))
    with pytest.raises(ValueError, match="their sides must be the same"):
        network(latents, time, BatchConditioning(tokens, extra={"concat": beside[..., :4]}))


def test_prompts_without_sizes_get_the_pictures_own() -> None:
    plain = Conditioning((ConditioningEntry(torch.zeros(1, 2, 4)),))
    (base,) = with_own_sizes(plain, family="sdxl", width=64, height=32).entries
    (good,) = with_own_sizes(plain, family="sdxl_refiner", width=64, height=32).entries
    (bad,) = with_own_sizes(plain, family="sdxl_refiner", width=64, height=32, is_negative=True).entries
    assert base.extra["time_ids"].tolist() == [[32, 64, 0, 0, 32, 64]]
    assert (float(good.extra["time_ids"][0, -1]), float(bad.extra["time_ids"][0, -1])) == (6.0, 2.5)
    assert with_own_sizes(plain, family="sd15", width=64, height=32) is plain


def test_sizes_that_a_prompt_says_stay() -> None:
    said = Conditioning((ConditioningEntry(torch.zeros(1, 2, 4), extra={"time_ids": torch.ones(1, 6)}),))
    (entry,) = with_own_sizes(said, family="sdxl", width=64, height=32).entries
    assert entry.extra["time_ids"].tolist() == [[1] * 6]
