"""Boxes around masks, and parts of pictures cut out to be worked on and put back."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from graphflow.diffusion.compositing import composite
from graphflow.diffusion.mask_edges import feather_mask
from graphflow.diffusion.resizing import resized
from graphflow.diffusion.sizes import nearest_multiple


@dataclass(frozen=True)
class PixelBox:
    """A part of a picture in whole pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """First column beyond the box."""
        return self.left + self.width

    @property
    def bottom(self) -> int:
        """First row below the box."""
        return self.top + self.height


def mask_box(mask: Tensor) -> PixelBox:
    """The smallest box that holds all of a mask `[batch, height, width]`, of all its pictures, above 0. Raises ValueError for an empty mask."""
    covered = (mask > 0).flatten(0, -3).any(dim=0) if mask.ndim > 2 else mask > 0
    rows, columns = torch.nonzero(covered.any(dim=1))[:, 0], torch.nonzero(covered.any(dim=0))[:, 0]
    if len(rows) == 0:
        raise ValueError("the mask is empty: there is nothing to put a box around; make some of it white")
    left, top = int(columns[0]), int(rows[0])
    return PixelBox(left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top)


def surroundings(box: PixelBox, *, margin: int, multiple: int, width: int, height: int) -> PixelBox:
    """The box with a margin of pixels around it, each side a multiple, as far as the picture of that size has room.

    A side for which the picture is too small is the largest multiple that fits, or the picture's. The box stays as near to the middle as it can.
    """
    left, across = _widened(box.left, box.width, margin=margin, multiple=multiple, room=width)
    top, down = _widened(box.top, box.height, margin=margin, multiple=multiple, room=height)
    return PixelBox(left, top, across, down)


def _widened(first: int, length: int, *, margin: int, multiple: int, room: int) -> tuple[int, int]:
    begin, end = max(first - margin, 0), min(first + length + margin, room)
    wanted = -(-(end - begin) // multiple) * multiple
    if wanted > room:
        wanted = room // multiple * multiple
        if wanted < length:
            wanted = room
    begin = min(max((begin + end - wanted) // 2, first + length - wanted), first)
    return min(max(begin, 0), room - wanted), wanted


def cut_out(
    pixels: Tensor, mask: Tensor, *, margin: int, multiple: int = 1, longest: int | None = None
) -> tuple[Tensor, Tensor, PixelBox]:
    """The surroundings of a mask, out of pictures `[batch, channels, height, width]` and the mask `[batch, height, width]`, and their box.

    Resized to a longer side of `longest` pixels where that is given; both sides are then a multiple. Raises ValueError for a mask that is
    empty or of another size.
    """
    height, width = pixels.shape[-2:]
    if mask.shape[-2:] != pixels.shape[-2:]:
        raise ValueError(
            f"a mask of {mask.shape[-1]}x{mask.shape[-2]} does not fit a picture of {width}x{height}; resize the mask to that"
        )
    box = surroundings(mask_box(mask), margin=margin, multiple=multiple, width=width, height=height)
    part, part_mask = cut_box(pixels, box), cut_box(mask, box)
    across, down = box.width, box.height
    if longest is not None:
        scale = longest / max(across, down)
        across, down = round(across * scale), round(down * scale)
    across, down = nearest_multiple(across, multiple), nearest_multiple(down, multiple)
    return (
        resized(part, height=down, width=across),
        resized(part_mask.unsqueeze(1), height=down, width=across, filter="bilinear")[:, 0],
        box,
    )


def cut_box(tensor: Tensor, box: PixelBox) -> Tensor:
    """The part of `[..., height, width]` that lies in a box. Raises ValueError for a box that is not within it."""
    _check_within(box, tensor)
    return tensor[..., box.top : box.bottom, box.left : box.right].contiguous()


def put_back(
    picture: Tensor, background: Tensor, box: PixelBox, *, mask: Tensor | None = None, feather: int = 0
) -> Tensor:
    """Pictures `[batch, 3 or 4, height, width]` of any size, fitted into a box of the background they were cut from.

    The mask, `[batch, height, width]` in any size, says how much of them to take; `feather` is the width of a soft edge around it, in pixels
    of the background. Where it is 0, the background stays exactly. Raises ValueError for a box that is not within the background, and as
    `composite` does.
    """
    _check_within(box, background)
    fitted = resized(picture, height=box.height, width=box.width)
    if mask is not None:
        mask = resized(mask.unsqueeze(1), height=box.height, width=box.width, filter="bilinear")[:, 0]
        mask = feather_mask(mask, feather)
    return composite(fitted, background, mask=mask, left=box.left, top=box.top)


def _check_within(box: PixelBox, tensor: Tensor) -> None:
    height, width = tensor.shape[-2:]
    if min(box.left, box.top) < 0 or min(box.width, box.height) < 1 or box.right > width or box.bottom > height:
        raise ValueError(
            f"{box.width}x{box.height} at {box.left}, {box.top} is not within {width}x{height}; use a smaller part, or one further "
            "to the left or top"
        )
