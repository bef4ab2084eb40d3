"""Trials ask for what can be drawn, and tell right pictures from wrong ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graphflow.zoo.captions import parse_caption
from graphflow.zoo.judged import Figure
from graphflow.zoo.scenes import SIDE, Scene, SceneObject, random_scene
from graphflow.zoo.trials import (
    changed_outside,
    drawn_inside,
    edge_overlap,
    edge_trials,
    has_clear_edges,
    heart_prompts,
    inpaint_trials,
    shows_heart,
)
from graphflow.zoo.vocabulary import SHAPES


def one(shape: str, colour: str = "red", left: int = 40) -> Scene:
    return Scene("sand", (SceneObject(colour, shape, left=left, top=40, side=48),))  # type: ignore[arg-type]


def test_a_drawn_heart_is_a_heart_and_no_other_shape_is() -> None:
    assert shows_heart(one("heart").draw(), "a red heart on sand")
    assert not shows_heart(one("heart", "blue").draw(), "a red heart on sand")
    for shape in SHAPES:
        assert not shows_heart(one(shape).draw(), "a red heart on sand")


def test_heart_prompts_ask_for_one_heart() -> None:
    prompts = heart_prompts(40)
    assert len(set(prompts)) > 20
    assert all([item.shape for item in parse_caption(prompt).objects] == ["heart"] for prompt in prompts)


def test_edges_overlap_with_themselves_in_any_colour_and_not_with_those_of_another_place() -> None:
    star, moved = one("star").draw(), one("star", left=43).draw()
    assert edge_overlap(star, star) == 1.0
    assert edge_overlap(star, one("star", "blue").draw()) > 0.6
    assert edge_overlap(star, moved) < 0.3
    assert edge_overlap(star, moved) < edge_overlap(star, moved, slack=1)
    empty = Scene("sand", ()).draw()
    assert edge_overlap(star, empty) == 0.0


def test_edge_trials_keep_the_shapes_and_change_every_colour() -> None:
    for trial in edge_trials(24):
        words = parse_caption(trial.prompt)
        assert sorted(item.shape for item in words.objects) == sorted(item.shape for item in trial.scene.objects)
        assert not {item.colour for item in words.objects} & {item.colour for item in trial.scene.objects}
        assert words.background not in (None, trial.scene.background)
        assert has_clear_edges(trial.scene)
        assert edge_overlap(trial.scene.draw(), Scene(trial.scene.background, ()).draw()) == 0.0


def test_inpaint_trials_replace_an_object_or_leave_it_alone() -> None:
    for number, trial in enumerate(inpaint_trials(24)):
        left, top, right, bottom = trial.box
        assert 0 <= left < right <= SIDE
        assert 0 <= top < bottom <= SIDE
        kept = trial.scene.masks()[0]
        inside = kept[top:bottom, left:right].sum()
        assert inside == (0 if number % 2 else kept.sum())
        (words,) = parse_caption(trial.prompt).objects
        assert (words.colour, words.shape, words.place) == (trial.wanted.colour, trial.wanted.shape, trial.place)


def test_what_is_drawn_inside_counts_and_what_lies_outside_does_not() -> None:
    trial = inpaint_trials(2)[1]
    left, top, *_ = trial.box
    wanted = SceneObject(trial.wanted.colour, trial.wanted.shape, left=left + 8, top=top + 8, side=40)
    right_one = Scene(trial.scene.background, (*trial.scene.objects, wanted))
    assert drawn_inside(right_one.draw(), trial)
    assert not drawn_inside(trial.scene.draw(), trial)
    other = next(shape for shape in SHAPES if shape != wanted.shape)
    assert not drawn_inside(replace(right_one, objects=(replace(wanted, shape=other),)).draw(), trial)


def test_a_change_outside_is_measured_beyond_the_feather() -> None:
    before = random_scene(np.random.default_rng(0)).draw()
    after = before.copy()
    after[30:60, 30:60] = 255 - after[30:60, 30:60]
    assert changed_outside(before, after, (34, 34, 56, 56), feather=4) == 0
    assert changed_outside(before, after, (34, 34, 56, 56), feather=3) > 50
    assert changed_outside(before, before, (0, 0, SIDE, SIDE), feather=4) == 0


@pytest.mark.parametrize(("value", "reached"), [(0.4, False), (0.5, True), (0.6, True), (0.7, False)])
def test_a_figure_keeps_its_bounds(value: float, reached: bool) -> None:
    assert Figure("any", value, 1, least=0.5, most=0.6).reached == reached
    assert Figure("any", value, 1).reached
