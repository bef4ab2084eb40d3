from __future__ import annotations

import pytest
import torch
from graphflow.packs.builtin.conditioning.average_conditioning import AverageConditioning
from graphflow.packs.builtin.conditioning.combine_conditioning import CombineConditioning
from graphflow.packs.builtin.conditioning.concat_conditioning import ConcatConditioning
from graphflow.packs.builtin.conditioning.set_area import SetArea
from graphflow.packs.builtin.conditioning.set_mask import SetMask
from graphflow.packs.builtin.conditioning.set_sizes import SetSizes
from graphflow.packs.builtin.conditioning.set_step_range import SetStepRange
from graphflow.packs.builtin.conditioning.set_strength import SetStrength
from graphflow.packs.builtin.conditioning.zero_conditioning import ZeroConditioning
from pydantic import ValidationError

from graphflow import Conditioning, ConditioningEntry, Mask, Node
from graphflow.testing import run_node


def only(node: Node) -> ConditioningEntry:
    (entry,) = run_node(node)["conditioning"].entries
    assert isinstance(entry, ConditioningEntry)
    return entry


def test_combined_prompts_apply_side_by_side(positive: Conditioning, negative: Conditioning) -> None:
    both = run_node(CombineConditioning(conditionings=[positive, negative]))["conditioning"]
    assert both.entries == (*positive.entries, *negative.entries)


def test_concatenated_prompts_are_one_longer_prompt(positive: Conditioning, negative: Conditioning) -> None:
    joined = only(ConcatConditioning(conditionings=[positive, negative]))
    assert torch.equal(joined.tokens, torch.cat([positive.entries[0].tokens, negative.entries[0].tokens], dim=1))


def test_an_average_goes_from_the_first_to_the_second(positive: Conditioning, negative: Conditioning) -> None:
    quarter = only(AverageConditioning(first=positive, second=negative, share=0.25))
    torch.testing.assert_close(quarter.tokens, 0.75 * positive.entries[0].tokens + 0.25 * negative.entries[0].tokens)


def test_zeros_stand_for_no_prompt(positive: Conditioning) -> None:
    assert not only(ZeroConditioning(conditioning=positive)).tokens.any()


def test_an_area_is_given_in_shares(positive: Conditioning) -> None:
    placed = only(SetArea(conditioning=positive, left=0.5, bottom=0.25, strength=2.0))
    assert (placed.area, placed.strength) == ((0.5, 0.0, 1.0, 0.25), 2.0)
    with pytest.raises(ValueError, match="is not inside the picture"):
        only(SetArea(conditioning=positive, left=0.5, right=0.5))
    with pytest.raises(ValidationError):
        SetArea(conditioning=positive, right=1.5)


def test_a_mask_says_where(positive: Conditioning) -> None:
    mask = Mask(torch.ones(1, 8, 8))
    placed = only(SetMask(conditioning=positive, mask=mask, strength=0.5))
    assert placed.mask is mask
    assert placed.strength == 0.5


def test_strengths_multiply(positive: Conditioning) -> None:
    once = run_node(SetStrength(conditioning=positive, strength=0.5))["conditioning"]
    assert only(SetStrength(conditioning=once, strength=3.0)).strength == 1.5


def test_a_range_is_a_part_of_the_schedule(positive: Conditioning) -> None:
    early = run_node(SetStepRange(conditioning=positive, end=0.4))["conditioning"]
    assert (early.entries[0].start, early.entries[0].end) == (0.0, 0.4)
    with pytest.raises(ValueError, match=r"no prompt applies from 0\.5 to 1"):
        only(SetStepRange(conditioning=early, start=0.5))


def test_xl_is_told_sizes_and_its_refiner_a_score(positive: Conditioning) -> None:
    base = only(SetSizes(conditioning=positive, width=832, height=1216, original_width=400, crop_left=8, crop_top=4))
    assert base.extra["time_ids"].tolist() == [[1216.0, 400.0, 4.0, 8.0, 1216.0, 832.0]]
    refiner = only(SetSizes(conditioning=positive, width=832, height=1216, aesthetic_score=2.5))
    assert refiner.extra["time_ids"].tolist() == [[1216.0, 832.0, 0.0, 0.0, 2.5]]
