from __future__ import annotations

from typing import Any

import pytest
from graphflow.packs.builtin.sampling.cfg_guider import CfgGuider
from graphflow.packs.builtin.sampling.dual_guider import DualGuider
from graphflow.packs.builtin.sampling.perpendicular_guider import PerpendicularGuider
from graphflow.packs.builtin.sampling.ranged_guider import RangedGuider
from graphflow.packs.builtin.sampling.weakened_guiders import PerturbedAttentionGuider, SkipLayerGuider

from graphflow import (
    CfgGuidance,
    Conditioning,
    Denoiser,
    DualGuidance,
    Guider,
    PerpendicularGuidance,
    PerturbedAttentionGuidance,
    RangedGuidance,
    SkipLayerGuidance,
)
from graphflow.testing import run_node

NUMBERS = {
    "guidance": "scale",
    "rescale": "rescale",
    "negative_guidance": "negative_scale",
    "middle_guidance": "middle_scale",
}
NUMBERS |= {"perturbed_guidance": "weakened_scale", "skip_guidance": "weakened_scale"}


@pytest.mark.parametrize(
    ("node", "recipe", "settings"),
    [
        (CfgGuider, CfgGuidance, {"guidance": 3.0, "rescale": 0.4}),
        (PerpendicularGuider, PerpendicularGuidance, {"guidance": 3.0, "negative_guidance": 0.5}),
        (DualGuider, DualGuidance, {"guidance": 3.0, "middle_guidance": 6.0}),
        (PerturbedAttentionGuider, PerturbedAttentionGuidance, {"guidance": 3.0, "perturbed_guidance": 2.0}),
        (SkipLayerGuider, SkipLayerGuidance, {"guidance": 3.0, "skip_guidance": 2.0}),
    ],
)
def test_every_input_of_a_guider_is_in_its_recipe(
    denoiser: Denoiser, positive: Conditioning, negative: Conditioning, node: Any, recipe: type[Guider], settings: Any
) -> None:
    links = {"positive": positive, "negative": negative, "empty": Conditioning(()), "middle": Conditioning(())}
    given = {name: value for name, value in links.items() if name in node.model_fields}
    layers = {"layers": ["mid_block", "down_blocks.0"]} if "layers" in node.model_fields else {}
    guider = run_node(node(denoiser=denoiser, **given, **settings, **layers))["guider"]
    assert type(guider) is recipe
    assert guider.denoiser is denoiser
    assert all(getattr(guider, name) is value for name, value in given.items())
    assert all(getattr(guider, NUMBERS[name]) == value for name, value in settings.items())
    assert not layers or guider.layers == ("mid_block", "down_blocks.0")


def test_a_range_takes_any_guider_and_may_do_without_another(denoiser: Denoiser, positive: Conditioning) -> None:
    inside = CfgGuidance(denoiser, positive, positive, 8.0)
    guider = run_node(RangedGuider(guider=inside, start=0.2, end=0.6))["guider"]
    assert isinstance(guider, RangedGuidance)
    assert guider.inside is inside
    assert (guider.outside.positive, guider.outside.scale) == (positive, 1.0)  # type: ignore[attr-defined]
    assert (guider.start, guider.end) == (0.2, 0.6)
    outside = CfgGuidance(denoiser, positive, scale=1.0)
    assert run_node(RangedGuider(guider=inside, outside=outside))["guider"].outside is outside
    with pytest.raises(ValueError, match="the end must be above the start"):
        run_node(RangedGuider(guider=inside, start=0.6, end=0.6))
