"""Several latents as one: side by side in a batch, over one another, or mixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from graphflow.diffusion.batches import same_batch
from graphflow.diffusion.compositing import paste
from graphflow.diffusion.masks import latent_mask
from graphflow.ports.latent import Latent
from graphflow.ports.mask import Mask

_PARALLEL = 0.9995
"""Cosine above which two directions count as one; the sine of the angle between them would divide by next to nothing."""


def batch_latents(latents: Sequence[Latent]) -> Latent:
    """All pictures of several latents of one size, in order; where one has a noise mask, those without change everywhere.

    Raises ValueError for none, or for sizes or spaces that differ.
    """
    if not latents:
        raise ValueError("there is no latent to batch; link at least one")
    for other in latents[1:]:
        _same_kind(latents[0], other)
        if other.samples.shape[1:] != latents[0].samples.shape[1:]:
            raise ValueError(
                f"latents of {_size(latents[0])} and {_size(other)} do not go into one batch; resize or crop one of them"
            )
    samples = torch.cat([latent.samples for latent in latents])
    masks = None if all(latent.noise_mask is None for latent in latents) else Mask(_joined_masks(latents))
    return replace(latents[0], samples=samples, noise_mask=masks, space=_space(latents))


def repeat_latent(latent: Latent, times: int) -> Latent:
    """A batch that holds the latent's pictures so many times over, 1 or more."""
    mask = latent.noise_mask
    return replace(
        latent,
        samples=latent.samples.repeat(times, 1, 1, 1),
        noise_mask=mask if mask is None or mask.values.shape[0] == 1 else Mask(mask.values.repeat(times, 1, 1)),
    )


def pick_latents(latent: Latent, *, first: int, count: int) -> Latent:
    """`count` pictures of a batch from number `first` on; the first one is 0, the last one also -1.

    Raises ValueError for pictures that the batch does not have.
    """
    batch = latent.samples.shape[0]
    begin = first + batch if first < 0 else first
    if begin < 0 or count < 1 or begin + count > batch:
        raise ValueError(
            f"a batch of {batch} does not have {count} from number {first} on; its numbers are 0 to {batch - 1}"
        )
    chosen = slice(begin, begin + count)
    mask = latent.noise_mask
    if mask is not None and mask.values.shape[0] > 1:
        mask = Mask(mask.values[chosen].clone())
    return replace(latent, samples=latent.samples[chosen].clone(), noise_mask=mask)


def composite_latents(
    front: Latent, onto: Latent, *, mask: Tensor | None = None, left: int = 0, top: int = 0
) -> Latent:
    """`onto` with `front` laid over it, its corner at (`left`, `top`) in pixels of the picture; what reaches beyond is cut off.

    The mask, `[batch, height, width]` of 0 to 1 in any size, covers `front`. The noise mask is that of `onto`. Raises ValueError for
    places that are no multiples of the reduction, and for latents of different kinds.
    """
    _same_kind(front, onto)
    step = onto.reduction
    if left % step or top % step:
        near = " and ".join(str((place + step // 2) // step * step) for place in (left, top))
        raise ValueError(f"left and top must be multiples of {step}; the nearest are {near}")
    if mask is not None:
        mask = latent_mask(Mask(mask), height=front.samples.shape[-2], width=front.samples.shape[-1])[:, 0]
    samples = paste(front.samples, onto.samples, mask=mask, left=left // step, top=top // step)
    return replace(onto, samples=samples, space=_space([onto, front]))


def add_latents(first: Latent, other: Latent, *, factor: float = 1.0) -> Latent:
    """The first latent plus the other one times a factor, with the first one's noise mask. Raises ValueError for sizes or kinds that differ."""
    one, two = _matched(first, other)
    return replace(first, samples=one + factor * two, space=_space([first, other]))


def blend_latents(first: Latent, other: Latent, *, share: float, spherical: bool = False) -> Latent:
    """From the first latent (a share of 0) to the other (1), with the first one's noise mask.

    On a straight line, which loses contrast half way between latents that have little in common; or along the arc between them
    (Shoemake, Animating rotation with quaternion curves, 1985), which keeps it, as for noise. Raises ValueError for sizes or kinds that differ.
    """
    one, two = _matched(first, other)
    samples = _along_arc(one, two, share) if spherical else torch.lerp(one, two, share)
    return replace(first, samples=samples, space=_space([first, other]))


def _along_arc(one: Tensor, two: Tensor, share: float) -> Tensor:
    """Each picture as one vector: directions along the arc between them, lengths on a straight line."""
    flat, other = one.flatten(1), two.flatten(1)
    lengths = flat.norm(dim=1, keepdim=True), other.norm(dim=1, keepdim=True)
    if float(torch.minimum(*lengths).min()) == 0:
        raise ValueError("an empty latent has no direction; blend along a straight line")
    directions = flat / lengths[0], other / lengths[1]
    cosine = (directions[0] * directions[1]).sum(dim=1, keepdim=True).clamp(-1, 1)
    angle = torch.acos(cosine)
    sine = torch.sin(angle).clamp_min(1e-12)
    arc = torch.sin((1 - share) * angle) / sine * directions[0] + torch.sin(share * angle) / sine * directions[1]
    direction = torch.where(cosine.abs() > _PARALLEL, torch.lerp(*directions, share), arc)
    return (direction * torch.lerp(*lengths, share)).view_as(one)


def _matched(first: Latent, other: Latent) -> tuple[Tensor, Tensor]:
    _same_kind(first, other)
    if first.samples.shape[1:] != other.samples.shape[1:]:
        raise ValueError(f"latents of {_size(first)} and {_size(other)} do not go together; resize or crop one of them")
    one, two = same_batch({"latent": first.samples, "other": other.samples})
    return one, two


def _same_kind(first: Latent, other: Latent) -> None:
    """Raise ValueError for latents of different autoencoders."""
    known = {latent.space for latent in (first, other) if latent.space}
    kinds = {(latent.reduction, latent.samples.shape[1]) for latent in (first, other)}
    if len(known) > 1 or len(kinds) > 1:
        names = " and ".join(_kind(latent) for latent in (first, other))
        raise ValueError(f"latents of different kinds do not go together: {names}; take both from models of one family")


def _kind(latent: Latent) -> str:
    space = f"{latent.space}, " if latent.space else ""
    return f"{space}{latent.samples.shape[1]} channels at 1/{latent.reduction} of the picture"


def _size(latent: Latent) -> str:
    return f"{latent.samples.shape[-1] * latent.reduction}x{latent.samples.shape[-2] * latent.reduction}"


def _space(latents: Sequence[Latent]) -> str:
    return next((latent.space for latent in latents if latent.space), "")


def _joined_masks(latents: Sequence[Latent]) -> Tensor:
    """One mask for each picture, in the size of the largest."""
    sizes = [latent.noise_mask.values.shape[-2:] for latent in latents if latent.noise_mask is not None]
    size = max(sizes, key=lambda size: size[0] * size[1])
    masks = []
    for latent in latents:
        values = torch.ones(1, *size) if latent.noise_mask is None else latent.noise_mask.values
        if values.shape[-2:] != size:
            values = interpolate(values.unsqueeze(1), size, mode="bilinear", align_corners=False)[:, 0]
        masks.append(values.expand(latent.samples.shape[0], *size))
    return torch.cat(masks)
