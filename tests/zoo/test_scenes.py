"""Scenes, their captions and the split between training and judging."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from graphflow.zoo.scenes import (
    HELD_OUT_SHARE,
    SIDE,
    Scene,
    SceneObject,
    held_out_scene,
    is_at,
    is_held_out,
    parse_caption,
    random_scene,
    scene_from_seed,
    shape_coverage,
    training_scene,
)
from graphflow.zoo.vocabulary import BACKGROUNDS, COLOURS, PLACES, SHAPES, Place, Shape, is_readable


def scenes(count: int, seed: int = 0) -> list[Scene]:
    rng = np.random.default_rng(seed)
    return [random_scene(rng) for _ in range(count)]


def test_same_seed_gives_the_same_scene_caption_and_picture() -> None:
    first, second = scene_from_seed(7), scene_from_seed(7)
    assert first == second
    assert np.array_equal(first[0].draw(), second[0].draw())
    assert scene_from_seed(8) != first


def test_a_known_scene_has_its_exact_colours() -> None:
    picture = Scene("sand", (SceneObject("red", "square", left=32, top=16, side=40),)).draw()
    assert picture.shape == (128, 128, 3)
    assert picture.dtype == np.uint8
    assert tuple(picture[0, 0]) == (225, 205, 160)
    assert tuple(picture[16, 32]) == (220, 40, 40)
    assert (picture == (220, 40, 40)).all(axis=2).sum() == 40 * 40


def test_objects_are_readable_inside_and_apart() -> None:
    for scene in scenes(2000):
        assert 1 <= len(scene.objects) <= 3
        for index, item in enumerate(scene.objects):
            assert is_readable(item.colour, scene.background)
            assert 0.25 <= item.side / SIDE <= 0.5
            assert min(item.left, item.top) >= 0
            assert max(item.left, item.top) + item.side <= SIDE
            assert all(item.clears(other) for other in scene.objects[index + 1 :])


def test_every_word_of_the_vocabulary_occurs() -> None:
    many = scenes(2000)
    assert {scene.background for scene in many} == set(BACKGROUNDS)
    assert {item.colour for scene in many for item in scene.objects} == set(COLOURS)
    assert {item.shape for scene in many for item in scene.objects} == set(SHAPES)
    assert {place for scene in many for item in scene.objects for place in item.places()} == set(PLACES)


def test_masks_cover_the_coloured_pixels_and_lie_in_their_boxes() -> None:
    for scene in scenes(50):
        picture, masks = scene.draw().astype(int), scene.masks()
        for item, mask, (x0, y0, x1, y1) in zip(scene.objects, masks, scene.boxes(), strict=True):
            assert not mask[:y0].any()
            assert not mask[y1:].any()
            assert not mask[:, :x0].any()
            assert not mask[:, x1:].any()
            assert np.abs(picture[mask] - COLOURS[item.colour]).mean() < 12
        assert masks.sum(axis=0).max() == 1
        assert np.abs(picture[~masks.any(axis=0)] - BACKGROUNDS[scene.background]).mean() < 3


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_fill_their_box_and_are_mirror_symmetric(shape: Shape) -> None:
    coverage = shape_coverage(shape, 48)
    assert np.allclose(coverage, coverage[:, ::-1], atol=0.15)
    assert coverage[0].max() > 0.2
    assert coverage[-1].max() > 0.2
    assert coverage[:, 0].max() > 0.05
    assert coverage[:, -1].max() > 0.05


def test_captions_say_nothing_but_the_truth() -> None:
    rng = np.random.default_rng(1)
    for scene in scenes(1500):
        words = parse_caption(scene.caption(rng))
        assert words.background == scene.background
        assert sorted((o.colour, o.shape) for o in words.objects) == sorted((o.colour, o.shape) for o in scene.objects)
        for said in words.objects:
            item = next(o for o in scene.objects if o.colour == said.colour)
            assert said.size in (None, item.size_word)
            assert said.place is None or said.place in item.places()


def test_captions_vary() -> None:
    rng = np.random.default_rng(2)
    scene = scenes(1)[0]
    assert len({scene.caption(rng) for _ in range(100)}) > 8


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a red circle on sand", ("sand", [("red", "circle", None, None)])),
        (
            "a small blue star and a big green ring on night",
            ("night", [("blue", "star", "small", None), ("green", "ring", "big", None)]),
        ),
        ("On gray, a white cross at the top.", ("gray", [("white", "cross", None, "top")])),
        (
            "on the left, a red circle and on the right a blue square, on sky",
            ("sky", [("red", "circle", None, "left"), ("blue", "square", None, "right")]),
        ),
        ("a black ring on sand, in the center", ("sand", [("black", "ring", None, "center")])),
        ("a fluffy cat", (None, [])),
    ],
)
def test_reading_a_caption(caption: str, expected: tuple[object, list[tuple[object, ...]]]) -> None:
    words = parse_caption(caption)
    assert (words.background, [(o.colour, o.shape, o.size, o.place) for o in words.objects]) == expected


def test_the_split_is_stable_disjoint_and_of_the_stated_share() -> None:
    rng = np.random.default_rng(3)
    assert not any(is_held_out(training_scene(rng)) for _ in range(300))
    assert all(is_held_out(held_out_scene(rng, objects=count)) for count in (1, 2, 3) for _ in range(50))
    triples = [
        is_held_out(Scene(background, (SceneObject(colour, shape, 10, 10, 40),)))
        for background in BACKGROUNDS
        for colour in COLOURS
        for shape in SHAPES
    ]
    assert abs(np.mean(triples) - HELD_OUT_SHARE) < 0.06


def test_the_order_of_objects_does_not_change_the_split() -> None:
    for scene in scenes(200):
        assert is_held_out(scene) == is_held_out(Scene(scene.background, scene.objects[::-1]))


def test_scenes_are_values() -> None:
    with pytest.raises(FrozenInstanceError):
        scenes(1)[0].background = "sky"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("place", "centre"),
    [
        ("left", (0.3, 0.9)),
        ("right", (0.7, 0.1)),
        ("top", (0.9, 0.3)),
        ("bottom", (0.1, 0.7)),
        ("center", (0.45, 0.55)),
    ],
)
def test_places(place: Place, centre: tuple[float, float]) -> None:
    assert is_at(centre, place, tolerance=0.0)
    assert not is_at((1 - centre[0], 1 - centre[1]), place, tolerance=0.0) or place == "center"
