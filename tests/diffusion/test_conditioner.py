"""Embeddings of numbers, joining of embedders, and pictures for CLIP."""

from __future__ import annotations

import math

import pytest
import torch
from diffusers.models.embeddings import get_timestep_embedding

from graphflow.diffusion.clip_images import CLIP_MEAN, CLIP_STD, clip_pixels, resize_smoothly
from graphflow.diffusion.conditioner import Embedded, draw_kept, join_embedded, keep_samples
from graphflow.diffusion.embeddings import embed_numbers, sinusoid
from graphflow.diffusion.frame_vectors import camera_angles, camera_vectors, motion_vectors
from graphflow.diffusion.text_sdxl import PictureSizes, sdxl_vector


def test_numbers_are_embedded_as_the_networks_of_diffusers_embed_them() -> None:
    numbers = torch.tensor([0.0, 0.02, 7.0, 1024.0])
    expected = get_timestep_embedding(numbers, 256, flip_sin_to_cos=True, downscale_freq_shift=0)
    torch.testing.assert_close(sinusoid(numbers, 256), expected, rtol=0, atol=2e-4)
    rows = embed_numbers(numbers.reshape(2, 2), 256)
    assert torch.equal(rows[1], torch.cat([sinusoid(numbers, 256)[2], sinusoid(numbers, 256)[3]]))


def test_an_odd_width_ends_with_zero() -> None:
    assert sinusoid(torch.ones(2), 5)[:, -1].tolist() == [0.0, 0.0]


def test_tensors_go_where_their_rank_says_in_the_order_of_their_embedders() -> None:
    made = [
        Embedded("txt", [torch.full((1, 2, 3), 1.0), torch.full((1, 4), 2.0)]),
        Embedded("size", [torch.full((1, 2), 3.0)]),
        Embedded("mask", [torch.full((1, 5, 2, 2), 4.0)]),
        Embedded("cond_view", [torch.full((1, 4, 2, 2), 5.0)]),
    ]
    joined = join_embedded(made, zeroed=["txt"])
    assert {place: tuple(tensor.shape) for place, tensor in joined.items()} == {
        "crossattn": (1, 2, 3),
        "vector": (1, 6),
        "concat": (1, 5, 2, 2),
        "cond_view": (1, 4, 2, 2),
    }
    assert joined["vector"].tolist() == [[0.0, 0.0, 0.0, 0.0, 3.0, 3.0]]
    assert joined["crossattn"].abs().sum() == 0


def test_a_rank_without_place_is_named() -> None:
    with pytest.raises(ValueError, match=r'the embedder of "odd" made a tensor of shape \[3\]'):
        join_embedded([Embedded("odd", [torch.zeros(3)])])


def test_dropped_samples_are_all_zeros_and_the_draw_follows_the_generator() -> None:
    kept = draw_kept(1000, 0.25, torch.Generator().manual_seed(0))
    assert torch.equal(kept, draw_kept(1000, 0.25, torch.Generator().manual_seed(0)))
    assert 0.7 < float(kept.mean()) < 0.8
    tensor = torch.ones(1000, 2, 3)
    assert torch.equal(keep_samples(tensor, kept).mean(dim=(1, 2)), kept)


def test_the_vector_of_xl_is_pooled_text_and_each_size() -> None:
    vector = sdxl_vector(torch.ones(1, 1280), PictureSizes(1024, 768).base_ids())
    assert vector.shape == (1, 2816)
    assert torch.equal(vector[0, 1280 + 4 * 256 :][:256], sinusoid(torch.tensor([1024.0]), 256)[0])


def test_video_vectors_have_a_row_for_each_frame() -> None:
    assert motion_vectors(14, fps=6, motion=127, noise=0.02).shape == (14, 768)
    polar, azimuth = camera_angles([0, 90], [350.0, 20.0])
    assert polar.tolist() == [math.pi / 2, 0.0]
    assert azimuth.tolist() == [math.radians(330.0), 0.0]
    assert camera_vectors(polar, azimuth, noise=1e-5).shape == (2, 1280)


def test_a_flat_picture_stays_flat_for_clip() -> None:
    pixels = clip_pixels(torch.full((1, 3, 300, 260), 1.0))
    white = [(1 - mean) / std for mean, std in zip(CLIP_MEAN, CLIP_STD, strict=True)]
    torch.testing.assert_close(pixels.amax(dim=(2, 3))[0], torch.tensor(white), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(pixels.amin(dim=(2, 3))[0], torch.tensor(white), rtol=1e-4, atol=1e-4)


def test_shrinking_takes_away_what_is_too_fine() -> None:
    stripes = torch.tensor([1.0, -1.0]).repeat(128).expand(1, 3, 256, 256)
    assert float(resize_smoothly(stripes, 32, 32)[..., 4:-4, 4:-4].abs().max()) < 0.02
