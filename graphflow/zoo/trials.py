"""What workflows are tried with, and what of it their pictures must show: hearts, edges, and something new inside a mask."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from graphflow.diffusion import canny_edges
from graphflow.zoo.captions import ObjectWords, SceneWords, place_phrase, write_caption
from graphflow.zoo.judge import judge, see
from graphflow.zoo.regions import grown
from graphflow.zoo.scenes import SIDE, Scene, SceneObject, random_scene
from graphflow.zoo.vocabulary import BACKGROUNDS, COLOURS, SHAPES, Background, Colour, Place, is_readable

__all__ = [
    "EdgeTrial",
    "InpaintTrial",
    "changed_outside",
    "drawn_inside",
    "edge_overlap",
    "edge_trials",
    "heart_prompts",
    "inpaint_trials",
    "shows_heart",
]

Picture = NDArray[np.uint8]
MASK_SIDES: Final = (64, 80)
"""Sides of masks in pixels, at least and at most: the shapes of tiny-sd have 32 to 64."""
NEAR_CENTER: Final = 0.1
"""How far the middle of a box may lie from the middle of the picture, as a share of its side, to be in the center."""
LEAST_CONTRAST: Final = 0.05
"""Difference in brightness, 0 to 1, below which an edge is no edge to Canny's method, which looks at a grey picture."""


def heart_prompts(count: int, *, seed: int = 0) -> list[str]:
    """Captions of one heart each, in all colours and places."""
    rng = np.random.default_rng((seed, 3))
    prompts = []
    for _ in range(count):
        scene = random_scene(rng, objects=1)
        words = scene.words(rng)
        prompts.append(write_caption(replace(words, objects=(replace(words.objects[0], shape="heart"),)), rng))
    return prompts


def shows_heart(picture: Picture, prompt: str) -> bool:
    """Whether the largest object is a heart of the colour that the prompt asks for."""
    verdict = judge(picture, prompt)
    return verdict.colour and verdict.shape


@dataclass(frozen=True)
class EdgeTrial:
    """A scene whose edges are kept while a prompt gives it other colours."""

    scene: Scene
    prompt: str


def edge_trials(count: int, *, seed: int = 0) -> list[EdgeTrial]:
    """Scenes with one or two objects, and prompts for the same shapes in other colours on another background."""
    rng = np.random.default_rng((seed, 1))
    trials: list[EdgeTrial] = []
    while len(trials) < count:
        scene = random_scene(rng, objects=1 + len(trials) % 2)
        other = recoloured(scene, rng)
        if has_clear_edges(scene) and has_clear_edges(other):
            words = SceneWords(other.background, tuple(ObjectWords(o.colour, o.shape) for o in other.objects))
            trials.append(EdgeTrial(scene, write_caption(words, rng)))
    return trials


def recoloured(scene: Scene, rng: np.random.Generator) -> Scene:
    """The same shapes at the same places, all in other colours than before."""
    backgrounds = [name for name in get_args(Background) if name != scene.background]
    background = backgrounds[rng.integers(len(backgrounds))]
    worn = {item.colour for item in scene.objects}
    free = [colour for colour in COLOURS if colour not in worn and is_readable(colour, background)]
    chosen = [free[i] for i in rng.permutation(len(free))]
    return Scene(background, tuple(replace(o, colour=c) for o, c in zip(scene.objects, chosen, strict=False)))


def has_clear_edges(scene: Scene) -> bool:
    """Whether each object differs from the background in brightness."""
    ground = _brightness(BACKGROUNDS[scene.background])
    return all(abs(_brightness(COLOURS[item.colour]) - ground) >= LEAST_CONTRAST for item in scene.objects)


def _brightness(colour: tuple[int, int, int]) -> float:
    return float(np.dot(colour, (0.299, 0.587, 0.114))) / 255.0


def edge_overlap(one: Picture, other: Picture, *, low: float = 0.1, high: float = 0.2, slack: int = 0) -> float:
    """Shared over united area (IoU) of the canny edges of two pictures, each edge made wider by `slack` pixels on both sides."""
    pixels = torch.from_numpy(np.stack([one, other])).permute(0, 3, 1, 2) / 255.0
    edges = canny_edges(pixels, low=low, high=high)[:, 0].numpy() > 0
    first, second = (grown(mask, times=slack) for mask in edges)
    return float((first & second).sum() / max((first | second).sum(), 1))


@dataclass(frozen=True)
class InpaintTrial:
    """A scene, a box in it to be drawn anew, and what is wanted there."""

    scene: Scene
    box: tuple[int, int, int, int]
    """Left, top, right, bottom in pixels, ends exclusive."""
    wanted: ObjectWords

    @property
    def prompt(self) -> str:
        """What is wanted, where the box lies, and the background: without a place things are often cut off by the box."""
        article = "an" if self.wanted.colour == "orange" else "a"
        wanted = f"{article} {self.wanted.colour} {self.wanted.shape}"
        return f"{wanted} {place_phrase(self.place)} on {self.scene.background}"

    @property
    def place(self) -> Place:
        """The side that the middle of the box is nearest to, or the center."""
        left, top, right, bottom = self.box
        x, y = (left + right) / 2 / SIDE - 0.5, (top + bottom) / 2 / SIDE - 0.5
        reach: dict[Place, float] = {"left": -x, "right": x, "top": -y, "bottom": y, "center": NEAR_CENTER}
        return max(reach, key=lambda place: reach[place])

    def sides(self) -> dict[str, float]:
        """The box as shares of the picture."""
        return dict(zip(("left", "top", "right", "bottom"), (value / SIDE for value in self.box), strict=True))


def inpaint_trials(count: int, *, seed: int = 0) -> list[InpaintTrial]:
    """In turn: an object is replaced by another one, and one is drawn on free ground beside an object."""
    rng = np.random.default_rng((seed, 2))
    trials: list[InpaintTrial] = []
    while len(trials) < count:
        scene = random_scene(rng, objects=1)
        kept = scene.objects[0]
        side = int(rng.integers(MASK_SIDES[0], MASK_SIDES[1] + 1))
        left, top = (int(v) for v in rng.integers(0, SIDE - side + 1, size=2))
        box = SceneObject(kept.colour, "square", left, top, side)
        fits = kept.clears(box) if len(trials) % 2 else _holds(box, kept)
        if fits:
            wanted = ObjectWords(_other_colour(scene, rng), SHAPES[rng.integers(len(SHAPES))])
            trials.append(InpaintTrial(scene, (left, top, left + side, top + side), wanted))
    return trials


def _holds(box: SceneObject, item: SceneObject, *, margin: int = 4) -> bool:
    return (
        box.left + margin <= item.left
        and box.top + margin <= item.top
        and item.left + item.side + margin <= box.left + box.side
        and item.top + item.side + margin <= box.top + box.side
    )


def _other_colour(scene: Scene, rng: np.random.Generator) -> Colour:
    worn = scene.objects[0].colour
    free = [colour for colour in COLOURS if colour != worn and is_readable(colour, scene.background)]
    return free[rng.integers(len(free))]


def drawn_inside(picture: Picture, trial: InpaintTrial) -> bool:
    """Whether the largest object whose centre lies in the box has the wanted colour and shape."""
    left, top, right, bottom = trial.box
    inside = [
        seen
        for seen in see(picture).objects
        if left <= seen.centre[0] * SIDE <= right and top <= seen.centre[1] * SIDE <= bottom
    ]
    return bool(inside) and (inside[0].colour, inside[0].shape) == (trial.wanted.colour, trial.wanted.shape)


def changed_outside(before: Picture, after: Picture, box: tuple[int, int, int, int], *, feather: int) -> int:
    """Largest difference of any value, 0 to 255, outside the box and the `feather` pixels around it."""
    left, top, right, bottom = box
    outside = np.ones(before.shape[:2], dtype=np.bool_)
    outside[max(top - feather, 0) : bottom + feather, max(left - feather, 0) : right + feather] = False
    return int(np.abs(before.astype(np.int64) - after)[outside].max(initial=0))
