"""Laying one picture or latent over another."""

from __future__ import annotations

import torch
from torch import Tensor

from graphflow.diffusion.alpha import premultiplied, straight
from graphflow.diffusion.batches import same_batch

_Window = tuple[slice, slice, slice, slice]
RGBA = 4


def paste(front: Tensor, onto: Tensor, *, mask: Tensor | None = None, left: int = 0, top: int = 0) -> Tensor:
    """`onto` with `front` laid over it, its corner at (`left`, `top`), which may be outside; what reaches beyond `onto` is cut off.

    `front` and `onto` are `[batch, channels, height, width]`, with the same channels. The mask, `[batch, height, width]` of 0 to 1, has
    the size of `front`; where it is 0, `onto` stays bit by bit. A batch of one serves all. Raises ValueError for sizes that don't go
    together.
    """
    if front.shape[1] != onto.shape[1]:
        raise ValueError(
            f"{front.shape[1]} channels cannot be laid over {onto.shape[1]}; give both the same number of channels"
        )
    cover = _cover(mask, front)
    front, onto, cover = same_batch({"front": front, "background": onto, "mask": cover})
    there, here = _overlap(front, onto, left=left, top=top)
    result = onto.clone()
    below = result[there]
    result[there] = torch.lerp(below, front[here].to(below), cover[here].to(below))
    return result


def composite(
    picture: Tensor, background: Tensor, *, mask: Tensor | None = None, left: int = 0, top: int = 0
) -> Tensor:
    """Pictures laid over others, `[batch, 3 or 4, height, width]`, 0 to 1 (Porter and Duff, Compositing Digital Images, 1984).

    As `paste`; where the picture is transparent, the background shows. The result is transparent where both are. Raises ValueError as
    `paste` does.
    """
    cover = _cover(mask, picture)
    if picture.shape[1] == RGBA:
        cover = cover * picture[:, 3:]

    def over(front: Tensor, onto: Tensor) -> Tensor:
        return paste(front, onto, mask=cover[:, 0], left=left, top=top)

    if background.shape[1] != RGBA:
        return over(picture[:, :3], background)
    below = premultiplied(background)
    colours = over(picture[:, :3], below[:, :3])
    opacity = over(torch.ones_like(cover), below[:, 3:])
    touched = paste(cover, torch.zeros_like(below[:, 3:]), left=left, top=top) > 0
    return torch.where(touched, straight(torch.cat([colours, opacity], dim=1)).clamp(0, 1), background)


def _cover(mask: Tensor | None, front: Tensor) -> Tensor:
    """How much of the front to take: `[batch, 1, height, width]`, float32."""
    height, width = front.shape[-2:]
    if mask is None:
        return torch.ones(1, 1, height, width, device=front.device)
    if mask.shape[-2:] != front.shape[-2:]:
        raise ValueError(
            f"a mask of {mask.shape[-1]}x{mask.shape[-2]} does not fit what it cuts out, {width}x{height}; resize the mask to that"
        )
    return mask.unsqueeze(1).to(front.device, torch.float32)


def _overlap(front: Tensor, onto: Tensor, *, left: int, top: int) -> tuple[_Window, _Window]:
    """Where the two meet: the window of `onto`, and that of `front`."""
    rows, front_rows = _meeting(top, front.shape[-2], onto.shape[-2])
    columns, front_columns = _meeting(left, front.shape[-1], onto.shape[-1])
    everything = slice(None)
    return (everything, everything, rows, columns), (everything, everything, front_rows, front_columns)


def _meeting(first: int, length: int, room: int) -> tuple[slice, slice]:
    begin, end = max(first, 0), min(first + length, room)
    end = max(begin, end)
    return slice(begin, end), slice(begin - first, end - first)
