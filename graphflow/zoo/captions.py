"""Describing a scene in words, in many word orders, and reading such a description back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, cast

import numpy as np

from graphflow.zoo.vocabulary import (
    BACKGROUNDS,
    COLOURS,
    LORA_SHAPES,
    PLACES,
    SHAPES,
    SIZES,
    AnyShape,
    Background,
    Colour,
    Place,
    SizeWord,
)

__all__ = ["WORDS", "ObjectWords", "SceneWords", "parse_caption", "place_phrase", "write_caption"]

PREPOSITIONS: Final[dict[Place, str]] = {"left": "on", "right": "on", "top": "at", "bottom": "at", "center": "in"}

WORDS: Final = (
    *("a", "an", "and", "at", "background", "in", "is", "next", "of", "on", "picture", "the", "there", "to", "with"),
    *BACKGROUNDS,
    *COLOURS,
    *SHAPES,
    *PLACES,
    *SIZES,
)
"""Every word a caption may hold; the tokenizer of the models gives each one its own token."""


@dataclass(frozen=True)
class ObjectWords:
    """What a caption says of one object; None where it says nothing."""

    colour: Colour
    shape: AnyShape
    size: SizeWord | None = None
    place: Place | None = None


@dataclass(frozen=True)
class SceneWords:
    """What a caption says of a scene."""

    background: Background | None
    objects: tuple[ObjectWords, ...]


def place_phrase(place: Place) -> str:
    """The place as a caption says it: "on the left", "at the top", "in the center"."""
    return f"{PREPOSITIONS[place]} the {place}"


def write_caption(words: SceneWords, rng: np.random.Generator) -> str:
    """The words as a sentence in one of many orders."""
    phrases = [_object_phrase(item, rng) for item in words.objects]
    joined = phrases[0]
    for phrase in phrases[1:]:
        joined += str(rng.choice((" and ", " and ", ", ", ", and ", " next to "))) + phrase
    opening = str(rng.choice(("", "", "", "", "there is ", "a picture of ")))
    if words.background is None:
        return opening + joined
    ground = str(
        rng.choice((f"on {words.background}", f"on {words.background}", f"on a {words.background} background"))
    )
    match int(rng.integers(8)):
        case 0:
            return f"{ground}, {joined}"
        case 1:
            return f"a {words.background} background with {joined}"
        case 2:
            return f"{opening}{joined}, {words.background} background"
        case 3:
            return f"{opening}{joined}, {ground}"
        case _:
            return f"{opening}{joined} {ground}"


def _object_phrase(item: ObjectWords, rng: np.random.Generator) -> str:
    noun = " ".join(word for word in (item.size, item.colour, item.shape) if word)
    article = "" if rng.random() < 0.1 else "an " if noun[0] == "o" else "a "
    if item.place is None:
        return article + noun
    where = place_phrase(item.place)
    match int(rng.integers(5)):
        case 0:
            return f"{where} {article}{noun}"
        case 1:
            return f"{where}, {article}{noun}"
        case _:
            return f"{article}{noun} {where}"


def parse_caption(caption: str) -> SceneWords:
    """What a caption asks for; words outside the vocabulary are passed over.

    A place belongs to the object of its clause; alone between commas it belongs to the next object, or else to the last.
    """
    background: Background | None = None
    objects: list[ObjectWords] = []
    waiting: Place | None = None
    for clause in re.split(r",|;|\.|\band\b|\bnext to\b|\bwith\b", caption.lower()):
        colour: Colour | None = None
        shape: AnyShape | None = None
        size: SizeWord | None = None
        place: Place | None = None
        for word in re.findall(r"[a-z]+", clause):
            if word in BACKGROUNDS:
                background = cast(Background, word)
            elif word in COLOURS:
                colour = cast(Colour, word)
            elif word in SHAPES or word in LORA_SHAPES:
                shape = cast(AnyShape, word)
            elif word in PLACES:
                place = cast(Place, word)
            elif word in SIZES:
                size = cast(SizeWord, word)
        if colour is None or shape is None:
            waiting = place or waiting
            continue
        objects.append(ObjectWords(colour, shape, size=size, place=place or waiting))
        waiting = None
    if waiting is not None and objects and objects[-1].place is None:
        last = objects[-1]
        objects[-1] = ObjectWords(last.colour, last.shape, size=last.size, place=waiting)
    return SceneWords(background, tuple(objects))
