"""Captioned scenes of coloured shapes, drawn deterministically from a seed.

A scene knows everything about its picture: caption, boxes and masks. Two shares of all scenes are kept apart by a hash of what
they show (`is_held_out`): models are trained on the one and judged on the other.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from graphflow.zoo.captions import ObjectWords, SceneWords, parse_caption, write_caption
from graphflow.zoo.vocabulary import (
    BACKGROUNDS,
    BIG_FROM,
    COLOURS,
    PLACES,
    SHAPES,
    SMALL_UP_TO,
    AnyShape,
    Background,
    Colour,
    Place,
    SizeWord,
    is_readable,
)

__all__ = [
    "SIDE",
    "ObjectWords",
    "Scene",
    "SceneObject",
    "SceneWords",
    "held_out_scene",
    "is_at",
    "is_held_out",
    "parse_caption",
    "random_scene",
    "scene_from_seed",
    "shape_coverage",
    "training_scene",
]

SIDE: Final = 128
"""Pictures are SIDE x SIDE pixels."""
SMALLEST: Final = SIDE // 4
LARGEST: Final = SIDE // 2
GAP: Final = 4
"""Pixels that stay free between two objects."""
MARGIN: Final = 2
"""Pixels that stay free between an object and the border."""
HELD_OUT_SHARE: Final = 0.125
SUPERSAMPLING: Final = 8


@dataclass(frozen=True)
class SceneObject:
    """One shape: its colour and its box in pixels of the SIDE x SIDE picture."""

    colour: Colour
    shape: AnyShape
    left: int
    top: int
    side: int

    @property
    def centre(self) -> tuple[float, float]:
        """Centroid (x, y) as shares of the picture, 0 to 1; a triangle's is below the middle of its box."""
        x, y = _centroid(self.shape)
        return (self.left + self.side * x) / SIDE, (self.top + self.side * y) / SIDE

    @property
    def size_word(self) -> SizeWord | None:
        """What the size may be called; nothing for the sizes in between."""
        share = self.side / SIDE
        if share <= SMALL_UP_TO:
            return "small"
        return "big" if share >= BIG_FROM else None

    def places(self) -> tuple[Place, ...]:
        """All place words that fit beyond doubt."""
        return tuple(place for place in PLACES if is_at(self.centre, place, tolerance=0.0))

    def clears(self, other: SceneObject) -> bool:
        """Whether the boxes have at least GAP pixels between them."""
        return (
            self.left + self.side + GAP <= other.left
            or other.left + other.side + GAP <= self.left
            or self.top + self.side + GAP <= other.top
            or other.top + other.side + GAP <= self.top
        )


@dataclass(frozen=True)
class Scene:
    """A background and one to three objects that do not overlap."""

    background: Background
    objects: tuple[SceneObject, ...]

    def draw(self) -> NDArray[np.uint8]:
        """The picture, RGB [SIDE, SIDE, 3], edges antialiased."""
        picture = np.empty((SIDE, SIDE, 3), dtype=np.float32)
        picture[:] = BACKGROUNDS[self.background]
        for item in self.objects:
            alpha = shape_coverage(item.shape, item.side)[..., None]
            window = picture[item.top : item.top + item.side, item.left : item.left + item.side]
            window += alpha * (np.asarray(COLOURS[item.colour], dtype=np.float32) - window)
        return np.rint(picture).astype(np.uint8)

    def masks(self) -> NDArray[np.bool_]:
        """Which pixels each object covers, [objects, SIDE, SIDE]."""
        masks = np.zeros((len(self.objects), SIDE, SIDE), dtype=np.bool_)
        for mask, item in zip(masks, self.objects, strict=True):
            window = mask[item.top : item.top + item.side, item.left : item.left + item.side]
            window[:] = shape_coverage(item.shape, item.side) >= 0.5
        return masks

    def boxes(self) -> NDArray[np.int64]:
        """Box of each object as x0, y0, x1, y1 in pixels, end exclusive: [objects, 4]."""
        return np.array([(o.left, o.top, o.left + o.side, o.top + o.side) for o in self.objects], dtype=np.int64)

    def caption(self, rng: np.random.Generator) -> str:
        """One of the many ways to describe the scene."""
        return write_caption(self.words(rng), rng)

    def words(self, rng: np.random.Generator) -> SceneWords:
        """What a caption of the scene might say; sizes and places are sometimes left unsaid."""
        order = rng.permutation(len(self.objects))
        say_places, say_sizes = rng.random() < 0.8, rng.random() < 0.5
        words = []
        for item in (self.objects[i] for i in order):
            places = item.places()
            place = places[rng.integers(len(places))] if places and say_places and rng.random() < 0.9 else None
            size = item.size_word if say_sizes else None
            words.append(ObjectWords(item.colour, item.shape, size=size, place=place))
        return SceneWords(self.background, tuple(words))


def is_at(centre: tuple[float, float], place: Place, *, tolerance: float) -> bool:
    """Whether a centre (x, y as shares of the picture) is at a place; the tolerance widens the place on every side."""
    x, y = centre
    match place:
        case "left":
            return x <= 0.40 + tolerance
        case "right":
            return x >= 0.60 - tolerance
        case "top":
            return y <= 0.40 + tolerance
        case "bottom":
            return y >= 0.60 - tolerance
        case "center":
            return max(abs(x - 0.5), abs(y - 0.5)) <= 0.10 + tolerance


@lru_cache(maxsize=1024)
def shape_coverage(shape: AnyShape, side: int) -> NDArray[np.float32]:
    """How much of each pixel of a side x side box the shape covers, 0 to 1; read-only since it is shared."""
    fine = side * SUPERSAMPLING
    image = Image.new("L", (fine, fine), 0)
    pen = ImageDraw.Draw(image)
    end = fine - 1
    match shape:
        case "circle":
            pen.ellipse((0, 0, end, end), fill=255)
        case "square":
            pen.rectangle((0, 0, end, end), fill=255)
        case "triangle":
            pen.polygon([(end / 2, 0), (end, end), (0, end)], fill=255)
        case "star":
            pen.polygon([(x * end, y * end) for x, y in _star_corners()], fill=255)
        case "cross":
            pen.rectangle((fine / 3, 0, fine * 2 / 3, end), fill=255)
            pen.rectangle((0, fine / 3, end, fine * 2 / 3), fill=255)
        case "ring":
            pen.ellipse((0, 0, end, end), fill=255)
            hole = fine * 0.25
            pen.ellipse((hole, hole, end - hole, end - hole), fill=0)
        case "heart":
            pen.polygon([(x * end, y * end) for x, y in _heart_outline()], fill=255)
    coverage = np.asarray(image.resize((side, side), Image.Resampling.BOX), dtype=np.float32) / 255.0
    coverage.setflags(write=False)
    return coverage


@lru_cache
def _centroid(shape: AnyShape) -> tuple[float, float]:
    """Centroid (x, y) of a shape as shares of its box."""
    coverage = shape_coverage(shape, 64)
    middles = (np.arange(64) + 0.5) / 64
    total = float(coverage.sum())
    return float(coverage.sum(axis=0) @ middles) / total, float(coverage.sum(axis=1) @ middles) / total


def _star_corners() -> list[tuple[float, float]]:
    """Ten corners of a five-pointed star that fills the unit box."""
    radii = np.where(np.arange(10) % 2 == 0, 1.0, 0.42)
    angles = np.arange(10) * np.pi / 5 - np.pi / 2
    corners = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)
    corners -= corners.min(axis=0)
    return [(float(x), float(y)) for x, y in corners / corners.max(axis=0)]


def _heart_outline() -> list[tuple[float, float]]:
    """A heart that fills the unit box: two arcs that meet in a notch above and in a tip below."""
    turns = np.linspace(0.0, 2.0 * np.pi, 240, endpoint=False)
    x = np.sin(turns) ** 3
    y = -(13 * np.cos(turns) - 5 * np.cos(2 * turns) - 2 * np.cos(3 * turns) - np.cos(4 * turns))
    outline = np.stack([x, y], axis=1)
    outline -= outline.min(axis=0)
    return [(float(x), float(y)) for x, y in outline / outline.max(axis=0)]


def random_scene(rng: np.random.Generator, *, objects: int | None = None) -> Scene:
    """Any scene; without a number of objects 45 % have one, 42 % two and 13 % three."""
    count = objects if objects is not None else int(rng.choice((1, 2, 3), p=(0.45, 0.42, 0.13)))
    background = get_args(Background)[rng.integers(len(BACKGROUNDS))]
    colours = [colour for colour in COLOURS if is_readable(colour, background)]
    # Two objects of one colour are left out: "a red circle and a red star" is drawn well only by luck of the binding.
    chosen = rng.permutation(len(colours))[:count]
    placed: tuple[SceneObject, ...] = ()
    while len(placed) < count:  # start over when the last attempts left no room
        placed = _place_objects(rng, [colours[i] for i in chosen])
    return Scene(background, placed)


def _place_objects(rng: np.random.Generator, colours: list[Colour]) -> tuple[SceneObject, ...]:
    placed: list[SceneObject] = []
    largest = LARGEST if len(colours) < 3 else SIDE * 3 // 8
    for colour in colours:
        shape = SHAPES[rng.integers(len(SHAPES))]
        for _ in range(12):
            side = int(rng.integers(SMALLEST, largest + 1))
            left, top = (int(v) for v in rng.integers(MARGIN, SIDE - MARGIN - side + 1, size=2))
            if len(colours) == 1 and rng.random() < 0.2:  # the center is rare among random positions
                left, top = (int(v) for v in (SIDE - side) // 2 + rng.integers(-8, 9, size=2))
            item = SceneObject(colour, shape, left, top, side)
            if all(item.clears(other) for other in placed):
                placed.append(item)
                break
    return tuple(placed)


def is_held_out(scene: Scene | SceneWords) -> bool:
    """Whether what the scene shows belongs to the share that no model of the zoo is trained on.

    One object: its colour, shape and background together. Several: any two of its coloured shapes together.
    """
    names = sorted(f"{item.colour} {item.shape}" for item in scene.objects)
    if len(names) == 1:
        return _falls_out(f"{names[0]} on {scene.background}")
    return any(_falls_out(f"{one} and {two}") for i, one in enumerate(names) for two in names[i + 1 :])


@lru_cache(maxsize=8192)
def _falls_out(description: str) -> bool:
    digest = hashlib.sha256(description.encode()).digest()
    return int.from_bytes(digest[:8], "big") < HELD_OUT_SHARE * 2**64


def training_scene(rng: np.random.Generator, *, objects: int | None = None) -> Scene:
    """A scene that models may be trained on."""
    return _scene_where(rng, objects=objects, held_out=False)


def held_out_scene(rng: np.random.Generator, *, objects: int | None = None) -> Scene:
    """A scene that no model of the zoo was trained on."""
    return _scene_where(rng, objects=objects, held_out=True)


def _scene_where(rng: np.random.Generator, *, objects: int | None, held_out: bool) -> Scene:
    while True:
        scene = random_scene(rng, objects=objects)
        if is_held_out(scene) == held_out:
            return scene


def scene_from_seed(seed: int, *, objects: int | None = None) -> tuple[Scene, str]:
    """A scene and one caption for it; the same seed always gives the same two."""
    rng = np.random.default_rng(seed)
    scene = random_scene(rng, objects=objects)
    return scene, scene.caption(rng)
