"""The words of the scenes and what they look like. Pictures are judged by these values, so they are a contract."""

from typing import Final, Literal, get_args

__all__ = [
    "BACKGROUNDS",
    "BIG_FROM",
    "COLOURS",
    "LORA_SHAPES",
    "PLACES",
    "SHAPES",
    "SIZES",
    "SMALL_UP_TO",
    "AnyShape",
    "Background",
    "Colour",
    "LoraShape",
    "Place",
    "Shape",
    "SizeWord",
    "is_readable",
]

Background = Literal["gray", "sky", "sand", "night"]
Colour = Literal["red", "green", "blue", "yellow", "purple", "orange", "white", "black"]
Shape = Literal["circle", "square", "triangle", "star", "cross", "ring"]
LoraShape = Literal["heart"]
AnyShape = Shape | LoraShape
Place = Literal["left", "right", "top", "bottom", "center"]
SizeWord = Literal["small", "big"]

BACKGROUNDS: Final[dict[Background, tuple[int, int, int]]] = {
    "gray": (128, 128, 128),
    "sky": (170, 210, 240),
    "sand": (225, 205, 160),
    "night": (30, 30, 60),
}
COLOURS: Final[dict[Colour, tuple[int, int, int]]] = {
    "red": (220, 40, 40),
    "green": (40, 170, 70),
    "blue": (50, 80, 220),
    "yellow": (240, 210, 50),
    "purple": (150, 60, 190),
    "orange": (245, 140, 40),
    "white": (245, 245, 245),
    "black": (25, 25, 25),
}
SHAPES: Final[tuple[Shape, ...]] = get_args(Shape)
"""What tiny-sd can draw by itself."""
LORA_SHAPES: Final[tuple[LoraShape, ...]] = get_args(LoraShape)
"""What it learns from a LoRA."""
PLACES: Final[tuple[Place, ...]] = get_args(Place)
SIZES: Final[tuple[SizeWord, ...]] = get_args(SizeWord)

SMALL_UP_TO: Final = 0.32
"""An object whose side is at most this share of the picture may be called small."""
BIG_FROM: Final = 0.42
"""An object whose side is at least this share of the picture may be called big."""


def is_readable(colour: Colour, background: Background) -> bool:
    """Whether an object of this colour can be told from the background.

    Black on night is the one pair left out: 36 apart in RGB, where the next closest, white on sky, is 83.
    """
    return not (colour == "black" and background == "night")
