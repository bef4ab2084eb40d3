"""Picture sizes that fit an autoencoder."""

from __future__ import annotations


def latent_size(width: int, height: int, *, reduction: int) -> tuple[int, int]:
    """Width and height in latent pixels.

    Raises ValueError, naming the nearest sizes, when a side is not a positive multiple of the reduction.
    """
    if width < 1 or height < 1 or width % reduction or height % reduction:
        near = f"{nearest_multiple(width, reduction)}x{nearest_multiple(height, reduction)}"
        raise ValueError(
            f"a picture of {width}x{height} does not fit: both sides must be multiples of {reduction}; the nearest size is {near}"
        )
    return width // reduction, height // reduction


def nearest_multiple(side: int, reduction: int) -> int:
    """The multiple of the reduction nearest to a side, at least one."""
    return max(1, (side + reduction // 2) // reduction) * reduction
