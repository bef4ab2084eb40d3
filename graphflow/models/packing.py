"""Large convolutions in the order in which the CPU's kernels read their weights.

oneDNN multiplies blocks of a weight, and orders it anew at each call. Where a picture has become a few pixels and the weight is tens of megabytes,
as in the deepest layers of UNets, that takes longer than the multiplication. Done once, while loading, it leaves the answers the same bits.

A packed weight has its shape and type, but another layout: `dense` gives its numbers as they are in the file.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

LEAST_ELEMENTS = 10_000_000
"""Smaller weights are ordered in less time than it takes to notice."""

_NN: Any = torch._C._nn  # what torch's own compiler calls for the same purpose; not typed


class PackedConv2d(nn.Conv2d):
    """A convolution whose weight may be packed."""

    def forward(self, input: Tensor) -> Tensor:
        """`[batch, channels, height, width]` as of any convolution."""
        if not self.weight.is_mkldnn:
            return super().forward(input)
        answer: Tensor = torch.ops.mkldnn._convolution_pointwise(
            input, self.weight, self.bias, self.padding, self.stride, self.dilation, self.groups, "none", [], ""
        )
        return answer


def make_packable(network: nn.Module, *, dtype: torch.dtype, device: torch.device) -> set[str]:
    """Let a network's large convolutions take packed weights; the names of these weights.

    Empty for anything but bfloat16 on a CPU, and for builds of torch that cannot order weights ahead.
    """
    if dtype != torch.bfloat16 or device.type != "cpu" or not can_pack():
        return set()
    found = {name: module for name, module in network.named_modules() if _is_worth_it(module)}
    for module in found.values():
        module.__class__ = PackedConv2d
    return {f"{name}.weight" if name else "weight" for name in found}


def can_pack() -> bool:
    """Whether this build of torch can order weights ahead."""
    has_kernels: bool = torch._C._has_mkldnn
    return has_kernels and hasattr(_NN, "mkldnn_reorder_conv2d_weight")


def packed(weight: Tensor) -> Tensor:
    """The weight `[out, in, height, width]` of a plain convolution with the padding that keeps its size, in the kernels' order.

    It may be in torch's layout for oneDNN already, which is still the plain order.
    """
    padding = (weight.shape[2] // 2, weight.shape[3] // 2)
    plain = weight if weight.is_mkldnn else weight.contiguous().to_mkldnn()
    ordered: Tensor = _NN.mkldnn_reorder_conv2d_weight(plain, padding, (1, 1), (1, 1), 1)
    return ordered


def dense(weight: Tensor) -> Tensor:
    """A weight's numbers in the plain order; the weight itself where it is not packed."""
    return weight.to_dense() if weight.is_mkldnn else weight


def _is_worth_it(module: nn.Module) -> bool:
    return (
        type(module) is nn.Conv2d
        and module.weight.numel() >= LEAST_ELEMENTS
        and module.padding == (module.kernel_size[0] // 2, module.kernel_size[1] // 2)
        and (module.stride, module.dilation, module.groups) == ((1, 1), (1, 1), 1)
        and module.padding_mode == "zeros"
    )
