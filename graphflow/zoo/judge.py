"""What a picture shows, measured: background and colours by palette distance, shapes by template overlap, places by centroid.

Made for the pictures of the zoo, drawn or generated: soft edges and a little noise are fine, a wrong colour or shape is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from graphflow.zoo.captions import ObjectWords, SceneWords, parse_caption
from graphflow.zoo.regions import grown, labelled_regions, shrunk
from graphflow.zoo.scenes import SIDE, Scene, is_at, shape_coverage
from graphflow.zoo.vocabulary import (
    BACKGROUNDS,
    COLOURS,
    LORA_SHAPES,
    SHAPES,
    AnyShape,
    Background,
    Colour,
    is_readable,
)

__all__ = ["SeenObject", "Sight", "Verdict", "judge", "see"]

SMALLEST_AREA: Final = SIDE * SIDE // 110
"""Pixels below which a coloured region counts as noise; the smallest star of a scene has about twice as many."""
SMALLEST_CORE: Final = 0.2
"""Share of a region that must survive losing its rim: an edge between two colours that looks like a third does not."""
BACKGROUND_REACH: Final = 60.0
BACKGROUND_SHARE: Final = 0.3
LEAST_OVERLAP: Final = 0.6
"""Overlap with the best template below which the shape is called unclear."""
PLACE_TOLERANCE: Final = 0.06
TEMPLATE: Final = 32


@dataclass(frozen=True)
class SeenObject:
    """An object found in a picture."""

    colour: Colour
    shape: AnyShape | None
    """None where no template fits."""
    centre: tuple[float, float]
    """Centroid (x, y) as shares of the picture, 0 to 1."""
    size: float
    """Longer side of the box as a share of the picture."""
    score: float
    """Overlap with the template of the shape, 0 to 1."""


@dataclass(frozen=True)
class Sight:
    """All that was found in a picture, the largest object first."""

    background: Background | None
    objects: tuple[SeenObject, ...]


@dataclass(frozen=True)
class Verdict:
    """How a picture compares with what was asked for."""

    background: bool
    colour: bool
    """One object: the largest has the colour. Several: each colour was seen."""
    shape: bool
    """One object: the largest has the shape. Several: each shape was seen."""
    bound: bool
    """Each shape was seen in its own colour."""
    place: bool
    """Each object with a named place is there; true where none was named."""
    count: bool
    """There are exactly as many objects as asked for."""
    sight: Sight

    @property
    def right(self) -> bool:
        """Whether nothing is wrong."""
        return self.background and self.bound and self.place and self.count


def judge(picture: NDArray[np.uint8], asked: Scene | SceneWords | str) -> Verdict:
    """Compare an RGB picture [height, width, 3] with a caption, its words or the scene itself."""
    words = _words(asked)
    taught = tuple(shape for shape in LORA_SHAPES if any(item.shape == shape for item in words.objects))
    sight = see(picture, shapes=(*SHAPES, *taught))
    if len(words.objects) == 1:
        candidates: Sequence[SeenObject] = sight.objects[:1]
    else:
        candidates = sight.objects
    matches = [_match(item, candidates) for item in words.objects]
    shapes = [item.shape for item in candidates]
    return Verdict(
        background=words.background is None or sight.background == words.background,
        colour=all(any(seen.colour == item.colour for seen in candidates) for item in words.objects),
        shape=all(
            shapes.count(item.shape) >= sum(o.shape == item.shape for o in words.objects) for item in words.objects
        ),
        bound=all(
            seen is not None and seen.shape == item.shape for item, seen in zip(words.objects, matches, strict=True)
        ),
        place=all(_is_placed(item, seen) for item, seen in zip(words.objects, matches, strict=True)),
        count=len(sight.objects) == len(words.objects),
        sight=sight,
    )


def _words(asked: Scene | SceneWords | str) -> SceneWords:
    if isinstance(asked, SceneWords):
        return asked
    if isinstance(asked, str):
        return parse_caption(asked)
    return SceneWords(asked.background, tuple(ObjectWords(item.colour, item.shape) for item in asked.objects))


def _match(item: ObjectWords, candidates: Sequence[SeenObject]) -> SeenObject | None:
    """The object meant: of the right colour, then of the right shape, then the largest; for a single one, whatever there is."""
    coloured = [seen for seen in candidates if seen.colour == item.colour]
    return max(coloured, key=lambda seen: (seen.shape == item.shape, seen.size), default=None)


def _is_placed(item: ObjectWords, seen: SeenObject | None) -> bool:
    if item.place is None:
        return True
    return seen is not None and is_at(seen.centre, item.place, tolerance=PLACE_TOLERANCE)


def see(picture: NDArray[np.uint8], *, shapes: Sequence[AnyShape] = SHAPES) -> Sight:
    """Find the background and the objects of an RGB picture [height, width, 3], values 0 to 255.

    Objects are taken for the most similar of `shapes`; shapes that need a LoRA are looked for only when they are named there.
    """
    if picture.shape[:2] != (SIDE, SIDE):
        picture = np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BOX))
    pixels = picture.astype(np.float32)
    background = _background(pixels)
    if background is None:
        return Sight(None, ())
    colours = [colour for colour in COLOURS if is_readable(colour, background)]
    nearest = _distances(pixels, [BACKGROUNDS[background], *(COLOURS[colour] for colour in colours)]).argmin(axis=2)
    objects = []
    for index, colour in enumerate(colours, start=1):
        mask = nearest == index
        if mask.sum() < SMALLEST_AREA:
            continue
        for region in labelled_regions(grown(mask)):
            region &= mask
            area = int(region.sum())
            if area >= SMALLEST_AREA and shrunk(region).sum() >= SMALLEST_CORE * area:
                objects.append(_object(pixels, region, shapes, colour=colour, background=background))
    return Sight(background, tuple(sorted(objects, key=lambda seen: -seen.size)))


def _background(pixels: NDArray[np.float32]) -> Background | None:
    """The background colour nearest to most pixels, if enough of them are really close to it."""
    names = list(BACKGROUNDS)
    distances = _distances(pixels, [*BACKGROUNDS.values(), *COLOURS.values()])
    nearest = distances.argmin(axis=2)
    votes = [int((nearest == index).sum()) for index in range(len(names))]
    winner = int(np.argmax(votes))
    close = (distances[..., winner] < BACKGROUND_REACH).mean()
    return names[winner] if close >= BACKGROUND_SHARE else None


def _distances(pixels: NDArray[np.float32], palette: Sequence[tuple[int, int, int]]) -> NDArray[np.float32]:
    """Distance of each pixel to each palette colour in RGB: [height, width, colours]."""
    steps = [np.sqrt(np.square(pixels - np.asarray(colour, dtype=np.float32)).sum(axis=2)) for colour in palette]
    return np.stack(steps, axis=2)


def _object(
    pixels: NDArray[np.float32],
    region: NDArray[np.bool_],
    shapes: Sequence[AnyShape],
    *,
    colour: Colour,
    background: Background,
) -> SeenObject:
    ground = np.asarray(BACKGROUNDS[background], dtype=np.float32)
    towards = np.asarray(COLOURS[colour], dtype=np.float32) - ground
    cover = ((pixels - ground) @ towards / (towards @ towards)).clip(0.0, 1.0) * grown(region, times=2)
    cover = np.maximum(cover, region).astype(np.float32) if cover.max() < 0.5 else cover.astype(np.float32)
    rows, columns = np.nonzero(region)
    weight = cover.sum()
    centre = (
        float((cover.sum(axis=0) @ (np.arange(SIDE) + 0.5)) / weight / SIDE),
        float((cover.sum(axis=1) @ (np.arange(SIDE) + 0.5)) / weight / SIDE),
    )
    height, width = int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1
    overlaps = _overlaps(cover, shapes)
    best = max(overlaps, key=lambda shape: overlaps[shape])
    score = overlaps[best] * min(1.0, 1.4 * min(height, width) / max(height, width))
    return SeenObject(
        colour=colour,
        shape=best if score >= LEAST_OVERLAP else None,
        centre=centre,
        size=max(height, width) / SIDE,
        score=score,
    )


def _overlaps(cover: NDArray[np.float32], shapes: Sequence[AnyShape]) -> dict[AnyShape, float]:
    """Overlap (shared over united area) of a cover with each shape's template, both fitted into the same box."""
    fitted = _fitted(cover)
    return {
        shape: float(np.minimum(fitted, template).sum() / np.maximum(fitted, template).sum())
        for shape, template in ((shape, _template(shape)) for shape in shapes)
    }


@lru_cache
def _template(shape: AnyShape) -> NDArray[np.float32]:
    return _fitted(shape_coverage(shape, 48))


def _fitted(cover: NDArray[np.float32]) -> NDArray[np.float32]:
    """The box of what is covered by more than half, stretched to TEMPLATE x TEMPLATE."""
    solid = cover > 0.5
    rows = np.flatnonzero(solid.sum(axis=1) >= 2)
    columns = np.flatnonzero(solid.sum(axis=0) >= 2)
    if len(rows) == 0 or len(columns) == 0:
        return np.zeros((TEMPLATE, TEMPLATE), dtype=np.float32)
    box = cover[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    image = Image.fromarray(cast("NDArray[np.uint8]", np.rint(box * 255).astype(np.uint8)))
    return np.asarray(image.resize((TEMPLATE, TEMPLATE), Image.Resampling.BILINEAR), dtype=np.float32) / 255.0
