"""Convolutions with weights in the kernels' order."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from graphflow.models.packing import PackedConv2d, can_pack, dense, make_packable, packed
from graphflow.models.patches import add_to_weights, replace_weights

CPU = torch.device("cpu")
WIDTH = 1088

pytestmark = pytest.mark.skipif(not can_pack(), reason="this build of torch has no oneDNN")


@pytest.fixture(scope="module")
def weight() -> Tensor:
    return torch.randn(WIDTH, WIDTH, 3, 3, generator=torch.Generator().manual_seed(1)).to(torch.bfloat16)


def layer(weight: Tensor, *, is_packed: bool) -> nn.Sequential:
    """A network of one large convolution, loaded as models are."""
    with torch.device("meta"):
        network = nn.Sequential(nn.Conv2d(WIDTH, WIDTH, 3, padding=1, dtype=torch.bfloat16))
    if is_packed:
        assert make_packable(network, dtype=torch.bfloat16, device=CPU) == {"0.weight"}
    weights = {
        "0.weight": packed(weight) if is_packed else weight.contiguous(memory_format=torch.channels_last),
        "0.bias": weight[:, 0, 0, 0].clone(),
    }
    network.load_state_dict(weights, strict=True, assign=True)
    return network.to(CPU).eval().requires_grad_(False)


def features(side: int, batch: int = 2) -> Tensor:
    drawn = torch.randn(batch, WIDTH, side, side, generator=torch.Generator().manual_seed(side))
    return drawn.to(torch.bfloat16).contiguous(memory_format=torch.channels_last)


def answers_agree(one: nn.Module, other: nn.Module) -> bool:
    given = [features(4), features(8), features(4, batch=1), features(5).contiguous()]
    return all(torch.equal(one(each), other(each)) for each in given)


@torch.no_grad()
def test_answers_are_the_same_bits_at_every_size(weight: Tensor) -> None:
    network = layer(weight, is_packed=True)
    assert isinstance(network[0], PackedConv2d)
    assert answers_agree(network, layer(weight, is_packed=False))


def test_a_packed_weight_has_its_shape_and_gives_its_numbers_back(weight: Tensor) -> None:
    parameter = layer(weight, is_packed=True).get_parameter("0.weight")
    assert parameter.is_mkldnn
    assert (parameter.shape, parameter.dtype) == (weight.shape, weight.dtype)
    assert torch.equal(dense(parameter), weight)
    assert dense(weight) is weight


@torch.no_grad()
def test_patches_change_packed_weights_and_put_them_back(weight: Tensor) -> None:
    network, plain = layer(weight, is_packed=True), layer(weight, is_packed=False)
    delta = torch.full_like(weight, 0.25)
    undo, also = add_to_weights(network, [("0.weight", delta)]), add_to_weights(plain, [("0.weight", delta)])
    assert answers_agree(network, plain)
    undo()
    also()
    assert torch.equal(dense(network[0].weight), weight)
    assert answers_agree(network, plain)
    replace_weights(network, [("0.weight", -weight)])
    assert torch.equal(dense(network[0].weight), -weight)


@pytest.mark.parametrize(
    ("convolution", "dtype"),
    [
        (nn.Conv2d(8, 8, 3, padding=1), torch.bfloat16),
        (nn.Conv2d(WIDTH, WIDTH, 3, padding=1, device="meta"), torch.float32),
        (nn.Conv2d(WIDTH, WIDTH, 3, padding=1, stride=2, device="meta"), torch.bfloat16),
        (nn.Conv2d(WIDTH, WIDTH, 3, padding=1, padding_mode="reflect", device="meta"), torch.bfloat16),
    ],
    ids=["small", "another precision", "a stride", "another padding"],
)
def test_other_layers_are_left_alone(convolution: nn.Conv2d, dtype: torch.dtype) -> None:
    assert make_packable(nn.Sequential(convolution), dtype=dtype, device=CPU) == set()
    assert type(convolution) is nn.Conv2d
