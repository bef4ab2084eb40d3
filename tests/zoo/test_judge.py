"""The judge is right on drawn scenes and says so when a picture is wrong."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from graphflow.zoo.judge import judge, see
from graphflow.zoo.scenes import SIDE, Scene, SceneObject, random_scene
from graphflow.zoo.vocabulary import BACKGROUNDS, COLOURS, SHAPES, Colour, Shape, is_readable

Picture = NDArray[np.uint8]


def share_right(change: Callable[[Picture, np.random.Generator], Picture], *, count: int) -> float:
    rng = np.random.default_rng(11)
    right = 0
    for _ in range(count):
        scene = random_scene(rng)
        verdict = judge(change(scene.draw(), rng), scene.words(rng))
        right += verdict.right and verdict.colour and verdict.shape
    return right / count


def noisy(picture: Picture, rng: np.random.Generator) -> Picture:
    return np.clip(picture + rng.normal(0, 12, picture.shape), 0, 255).astype(np.uint8)


def blurred(picture: Picture, rng: np.random.Generator) -> Picture:
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(1.5)))


def test_drawn_scenes_are_judged_right() -> None:
    assert share_right(lambda picture, rng: picture, count=400) >= 0.995


@pytest.mark.parametrize("change", [noisy, blurred])
def test_soft_and_noisy_pictures_are_still_read(change: Callable[[Picture, np.random.Generator], Picture]) -> None:
    assert share_right(change, count=150) >= 0.97


def test_other_sizes_of_the_picture_are_read() -> None:
    scene = random_scene(np.random.default_rng(5), objects=2)
    large = np.asarray(Image.fromarray(scene.draw()).resize((256, 256), Image.Resampling.BICUBIC))
    assert judge(large, scene).right


def test_a_sight_tells_where_and_how_large() -> None:
    sight = see(Scene("sky", (SceneObject("red", "ring", left=10, top=60, side=48),)).draw())
    assert sight.background == "sky"
    (seen,) = sight.objects
    assert (seen.colour, seen.shape) == ("red", "ring")
    assert seen.centre == pytest.approx((34 / SIDE, 84 / SIDE), abs=0.005)
    assert seen.size == pytest.approx(48 / SIDE, abs=0.01)
    assert seen.score > 0.97


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("colour", COLOURS)
def test_another_colour_shape_or_background_is_wrong(colour: Colour, shape: Shape) -> None:
    item = SceneObject(colour, shape, left=30, top=40, side=44)
    for background in (name for name in BACKGROUNDS if is_readable(colour, name)):
        scene = Scene(background, (item,))
        picture = scene.draw()
        assert judge(picture, scene).right
        for other in COLOURS:
            verdict = judge(picture, replace(scene, objects=(replace(item, colour=other),)))
            assert verdict.colour == verdict.bound == (other == colour)
        for wrong in set(SHAPES) - {shape}:
            verdict = judge(picture, replace(scene, objects=(replace(item, shape=wrong),)))
            assert not verdict.shape
            assert not verdict.bound
            assert verdict.colour
        for ground in set(BACKGROUNDS) - {background}:
            assert not judge(picture, replace(scene, background=ground)).background


def test_swapped_colours_are_present_but_not_bound() -> None:
    scene = Scene("gray", (SceneObject("red", "circle", 8, 8, 44), SceneObject("blue", "star", 70, 70, 44)))
    verdict = judge(scene.draw(), "a blue circle and a red star on gray")
    assert verdict.colour
    assert verdict.shape
    assert verdict.count
    assert not verdict.bound
    assert not verdict.right


def test_a_wrong_place_is_wrong() -> None:
    picture = Scene("sand", (SceneObject("green", "cross", left=8, top=44, side=40),)).draw()
    assert judge(picture, "a green cross on the left on sand").place
    for place in ("on the right", "in the center", "at the top", "at the bottom"):
        assert not judge(picture, f"a green cross {place} on sand").place


def test_a_missing_or_a_surplus_object_is_noticed() -> None:
    two = Scene("sky", (SceneObject("red", "circle", 8, 8, 44), SceneObject("black", "ring", 70, 70, 44)))
    alone = Scene("sky", two.objects[:1])
    missing, surplus = judge(alone.draw(), two), judge(two.draw(), alone)
    assert not missing.colour
    assert not missing.bound
    assert not missing.count
    assert not surplus.count
    assert not surplus.right


@pytest.mark.parametrize(
    "picture",
    [
        np.full((SIDE, SIDE, 3), (0, 255, 255), np.uint8),
        np.full((SIDE, SIDE, 3), 128, np.uint8),
        np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8),
    ],
    ids=["foreign colour", "empty", "noise"],
)
def test_pictures_of_nothing_satisfy_no_caption(picture: Picture) -> None:
    verdict = judge(picture, "a red circle on sand")
    assert not verdict.colour
    assert not verdict.shape
    assert not verdict.bound
    assert not verdict.right


def test_a_blob_between_shapes_is_called_unclear() -> None:
    picture = Scene("gray", ()).draw()
    picture[30:100, 30:44] = COLOURS["red"]
    (seen,) = see(picture).objects
    assert seen.colour == "red"
    assert seen.shape is None
