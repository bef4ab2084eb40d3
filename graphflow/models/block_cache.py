"""DeepCache for UNets (Ma et al., arXiv 2312.00858): the deep part of the network is computed at one step of several.

    every step      conv_in -> first layers ------------------------- skip connections --------------> last layers -> conv_out
    full steps                 the rest of the UNet, down and up again ----> feature --------------------^
    short steps                                              the feature of the last full step ----------^

Deep features change slowly from step to step; what changes fast goes over the outermost skip connections. On short steps all deep layers hand on
stand-ins: nothing reads them, but a ControlNet's additions to them must still be possible, whatever their shape.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from diffusers.models.unets.unet_2d_blocks import CrossAttnDownBlock2D, CrossAttnUpBlock2D, DownBlock2D, UpBlock2D
from torch import Tensor, nn

from graphflow.errors import ModelMismatch
from graphflow.models.patches import PATCHES, PatchFiles, Undo
from graphflow.ports.speed import BlockCachePatch

_INPUTS = ("sample", "timestep", "encoder_hidden_states")
"""Of a UNet, in order."""


@PATCHES.applier(BlockCachePatch)
def apply_block_cache(unet: nn.Module, patch: BlockCachePatch, files: PatchFiles) -> Undo:
    """Have a UNet use its deep features again, until undone. Raises ModelMismatch for another network or an impossible depth."""
    deep, feature_layer = _split(unet, patch.depth)
    calls = DeepFeatures(patch.interval)

    def begin(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = dict(zip(_INPUTS, args, strict=False)) | kwargs
        calls.begin(*(given[name] for name in _INPUTS))

    with ExitStack() as undos:
        undos.callback(unet.register_forward_pre_hook(begin, with_kwargs=True).remove)
        for layer, stand_in in deep.items():
            undos.callback(_shortened(layer, calls, stand_in, makes_feature=layer is feature_layer))
        undos.callback(calls.forget)
        return undos.pop_all().close


@dataclass(frozen=True, eq=False)
class _Kept:
    """A feature, and the call that it is right for."""

    step: int
    sample: torch.Size
    tokens: Tensor
    feature: Tensor


@dataclass(eq=False)
class DeepFeatures:
    """Decides which calls of a network are short, and keeps the features that they use.

    A sampler may call the network several times at one timestep (prompts apart, guidance by a weakened network), always in the same order: each
    call has a feature of its own. A timestep above the last one begins another sampling. A call with other sizes or another prompt than
    the kept feature's is computed in full.
    """

    interval: int
    is_short: bool = False
    _step: int = 0
    _call: int = 0
    _timestep: float = float("-inf")
    _kept: dict[int, _Kept] = field(default_factory=dict)
    _sample: torch.Size = field(default_factory=torch.Size)
    _tokens: Tensor | None = None

    def begin(self, sample: Tensor, timestep: Tensor | float, tokens: Tensor) -> None:
        """A call begins: latents `[batch, channels, height, width]`, their timestep and the prompts `[batch, tokens, channels]`."""
        now = float(timestep.flatten()[0]) if isinstance(timestep, Tensor) else float(timestep)
        if now > self._timestep:
            self._kept.clear()
            self._step, self._call = 0, 0
        elif now < self._timestep:
            self._step, self._call = self._step + 1, 0
        else:
            self._call += 1
        self._timestep, self._sample, self._tokens = now, sample.shape, tokens
        kept = self._kept.get(self._call)
        self.is_short = self._step % self.interval != 0 and kept is not None and self._serves(kept)

    def keep(self, feature: Tensor) -> None:
        """Keep the feature of this call."""
        assert self._tokens is not None
        self._kept[self._call] = _Kept(self._step, self._sample, self._tokens, feature)

    @property
    def feature(self) -> Tensor:
        """What a short call uses."""
        return self._kept[self._call].feature

    def forget(self) -> None:
        """Let go of all features."""
        self._kept.clear()
        self._tokens = None
        self._timestep = float("-inf")

    def _serves(self, kept: _Kept) -> bool:
        assert self._tokens is not None
        return (
            self._step - kept.step < self.interval
            and kept.sample == self._sample
            and kept.tokens.shape == self._tokens.shape
            and torch.equal(kept.tokens, self._tokens)
        )


StandIn = Callable[[DeepFeatures, Tensor], Any]
"""What a layer answers on short steps, in the form in which it answers; from the features and its input."""


def _nothing(calls: DeepFeatures, given: Tensor) -> Tensor:
    """A number in place of a picture: additions of any shape are possible, and cost nothing."""
    return given.new_zeros(())


def _unchanged(calls: DeepFeatures, given: Tensor) -> Tensor:
    return given


def _feature(calls: DeepFeatures, given: Tensor) -> Tensor:
    return calls.feature


def _in_tuple(stand_in: StandIn) -> StandIn:
    return lambda calls, given: (stand_in(calls, given),)


def _with_outputs(count: int) -> StandIn:
    """Of a block that also answers what skip connections take."""
    return lambda calls, given: (_nothing(calls, given), (_nothing(calls, given),) * count)


def _split(unet: Any, depth: int) -> tuple[dict[nn.Module, StandIn], nn.Module]:
    """The deep layers of a UNet with their stand-ins, and the one whose answer is the feature. Raises ModelMismatch."""
    down: Any = getattr(unet, "down_blocks", ())
    up: Any = getattr(unet, "up_blocks", ())
    known = (
        len(down) > 1
        and isinstance(down[0], DownBlock2D | CrossAttnDownBlock2D)
        and isinstance(up[-1], UpBlock2D | CrossAttnUpBlock2D)
    )
    if not known:
        raise ModelMismatch(
            f"the block cache knows UNets of two levels and more, and this model is a {type(unet).__name__}; "
            "use the speed profile exact or balanced"
        )
    layers = len(up[-1].resnets)
    if not 1 <= depth <= layers:
        raise ModelMismatch(
            f"a block cache of depth {depth} does not fit: the outermost level of this model has {layers} layers; use 1 to {layers}"
        )
    deep: dict[nn.Module, StandIn] = {}
    deep |= dict.fromkeys(down[0].resnets[depth - 1 :], _unchanged)
    deep |= dict.fromkeys(_attentions(down[0])[depth - 1 :], _in_tuple(_unchanged))
    deep |= dict.fromkeys(down[0].downsamplers or (), _nothing)
    deep |= {block: _with_outputs(len(block.resnets) + len(block.downsamplers or ())) for block in down[1:]}
    if unet.mid_block is not None:
        deep[unet.mid_block] = _nothing
    deep |= dict.fromkeys(up[:-1], _feature)
    deep |= dict.fromkeys(up[-1].resnets[: layers - depth], _feature)
    deep |= dict.fromkeys(_attentions(up[-1])[: layers - depth], _in_tuple(_feature))
    last: nn.Module = up[-2] if depth == layers else (_attentions(up[-1]) or up[-1].resnets)[layers - depth - 1]
    return deep, last


def _attentions(block: Any) -> Any:
    """A block's attention layers, one beside each of its convolutions; none in blocks without attention."""
    return getattr(block, "attentions", ())


def _shortened(layer: nn.Module, calls: DeepFeatures, stand_in: StandIn, *, makes_feature: bool) -> Undo:
    """Put a stand-in before a layer; on full steps the layer computes as ever, and the feature is kept where it arises."""
    compute = layer.forward
    before = layer.__dict__.get("forward")

    def forward(*args: Any, **kwargs: Any) -> Any:
        if calls.is_short:
            return stand_in(calls, args[0] if args else kwargs["hidden_states"])
        answer = compute(*args, **kwargs)
        if makes_feature:
            calls.keep(answer[0] if isinstance(answer, tuple) else answer)
        return answer

    def undo() -> None:
        if before is None:
            del layer.__dict__["forward"]
        else:
            layer.__dict__["forward"] = before

    layer.__dict__["forward"] = forward
    return undo
