from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from graphflow.diffusion import (
    CfgGuider,
    UNetDenoiser,
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
from graphflow.diffusion.guidance import BatchConditioning
from graphflow.ports import Conditioning, ConditioningEntry, Control, ControlNet, Mask, NoiseSpec
from tests.diffusion.conftest import WIDTH

CONTROL = Control(ControlNet("canny", "0", "sd15", "controlnet"), torch.zeros(1, 3, 8, 8))


def entry(seed: int, tokens: int = 5, **fields: Any) -> ConditioningEntry:
    generator = torch.Generator().manual_seed(seed)
    return ConditioningEntry(
        torch.randn(1, tokens, WIDTH, generator=generator), torch.randn(1, 3, generator=generator), **fields
    )


def prompt(seed: int, tokens: int = 5, **fields: Any) -> Conditioning:
    return Conditioning((entry(seed, tokens, **fields),))


FULL = prompt(
    0,
    extra={"time_ids": torch.ones(1, 6)},
    strength=2.0,
    start=0.25,
    end=0.75,
    area=(0.0, 0.0, 0.5, 1.0),
    mask=Mask(torch.ones(1, 4, 4)),
    controls=(CONTROL,),
)
FIELDS = ("tokens", "pooled", "extra", "strength", "start", "end", "area", "mask", "controls")


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        (lambda c: combined([c]), set()),
        (lambda c: concatenated([c, prompt(1)]), {"tokens"}),
        (lambda c: averaged(c, prompt(1), 0.5), {"tokens", "pooled"}),
        (zeroed, {"tokens", "pooled"}),
        (lambda c: in_area(c, (0.5, 0.0, 1.0, 1.0)), {"area"}),
        (lambda c: in_mask(c, Mask(torch.zeros(1, 2, 2))), {"mask"}),
        (lambda c: with_strength(c, 0.5), {"strength"}),
        (lambda c: during(c, 0.5, 1.0), {"start"}),
        (lambda c: with_extra(c, "vector", torch.ones(1, 2)), {"extra"}),
    ],
)
def test_what_is_not_mentioned_is_kept(change: Callable[[Conditioning], Conditioning], changed: set[str]) -> None:
    before, (after,) = FULL.entries[0], change(FULL).entries
    different = {name for name in FIELDS if getattr(before, name) is not getattr(after, name)}
    different -= {name for name in ("strength", "start", "end", "controls") if getattr(before, name) == getattr(after, name)}  # fmt: skip
    assert different == changed


def test_combined_prompts_keep_their_order() -> None:
    one, two, three = entry(1), entry(2), entry(3)
    assert combined([Conditioning((one, two)), Conditioning((three,))]).entries == (one, two, three)


def test_prompts_in_a_row_are_one_longer_text() -> None:
    first = Conditioning((entry(1, end=0.5), entry(2, start=0.5)))
    second, third = prompt(3, tokens=7, controls=(CONTROL,)), prompt(4, controls=(CONTROL,))
    joined = concatenated([first, second, third]).entries
    assert [(e.start, e.end, e.tokens.shape[1]) for e in joined] == [(0.0, 0.5, 17), (0.5, 1.0, 17)]
    parts = [first.entries[1].tokens, second.entries[0].tokens, third.entries[0].tokens]
    assert torch.equal(joined[1].tokens, torch.cat(parts, dim=1))
    assert joined[1].pooled is first.entries[1].pooled
    assert joined[1].controls == (CONTROL,)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_an_average_lies_between(share: float) -> None:
    one, two = entry(1), entry(2)
    (between,) = averaged(Conditioning((one,)), Conditioning((two,)), share).entries
    torch.testing.assert_close(between.tokens, (1 - share) * one.tokens + share * two.tokens)
    assert one.pooled is not None
    assert two.pooled is not None
    torch.testing.assert_close(between.pooled, (1 - share) * one.pooled + share * two.pooled)


def test_an_average_with_a_longer_prompt_is_each_of_them_at_the_ends(unet: Any, noise: Tensor) -> None:
    """A prompt that is repeated is the same prompt to the denoiser."""
    short, long = prompt(1, tokens=4), prompt(2, tokens=6)
    for share, expected in ((0.0, short), (1.0, long)):
        (between,) = averaged(short, long, share).entries
        assert between.tokens.shape[1] == 12
        answers = [
            UNetDenoiser(unet)(noise, torch.tensor(500), BatchConditioning(tokens.expand(2, -1, -1)))
            for tokens in (between.tokens, expected.entries[0].tokens)
        ]
        torch.testing.assert_close(*answers, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: concatenated([prompt(1), Conditioning((entry(1), entry(2)))]), "2 prompts cannot be added"),
        (lambda: averaged(prompt(1), Conditioning((entry(1), entry(2))), 0.5), "2 prompts cannot be averaged"),
        (
            lambda: concatenated([prompt(1), Conditioning((ConditioningEntry(torch.zeros(1, 5, 4)),))]),
            "prompts 4 and 8 wide",
        ),
        (
            lambda: concatenated([Conditioning((ConditioningEntry(torch.zeros(n, 5, 4)),)) for n in (2, 3)]),
            "prompts for 2 and 3 pictures",
        ),
        (lambda: in_area(prompt(1), (0.5, 0.0, 0.5, 1.0)), "is not inside the picture"),
        (lambda: during(prompt(1), 0.5, 0.5), "from 0.5 to 0.5 is no part of the schedule"),
        (lambda: during(prompt(1, end=0.3), 0.5, 1.0), "no prompt applies from 0.5 to 1.*they apply from 0 to 0.3"),
    ],
)
def test_what_does_not_fit_together_is_refused(made: Callable[[], Conditioning], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made()


def test_zeroed_text_keeps_its_sizes() -> None:
    (nothing,) = zeroed(FULL).entries
    assert nothing.pooled is not None
    assert nothing.tokens.shape == FULL.entries[0].tokens.shape
    assert not nothing.tokens.any()
    assert not nothing.pooled.any()


def test_a_range_narrows_what_is_there_and_drops_what_is_outside() -> None:
    edited = Conditioning((entry(1, end=0.4), entry(2, start=0.4, end=0.8), entry(3, start=0.8)))
    assert [(e.start, e.end) for e in during(edited, 0.5, 0.9).entries] == [(0.5, 0.8), (0.8, 0.9)]


def test_areas_over_a_background_blend_by_strength(unet: Any, noise: Tensor) -> None:
    """Inside an area: its prompt and the background's by strength; outside: the background alone."""
    left = with_strength(in_area(bare(1), (0.0, 0.0, 0.5, 1.0)), 3.0)
    background = bare(2)
    time = torch.tensor(500)

    def predicted(conditioning: Conditioning) -> Tensor:
        return CfgGuider(UNetDenoiser(unet), conditioning, None, 1.0, NoiseSpec())(noise, time)

    both = predicted(combined([left, background]))
    inside, outside = predicted(bare(1)), predicted(background)
    torch.testing.assert_close(both[..., 4:], outside[..., 4:], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(both[..., :4], (3 * inside[..., :4] + outside[..., :4]) / 4, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="50% of the picture has no prompt"):
        predicted(left)


def bare(seed: int) -> Conditioning:
    return Conditioning((replace(entry(seed), pooled=None),))
