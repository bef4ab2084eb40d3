"""Repeated blocks are compiled where that gains something, and run as written afterwards."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import nn

from graphflow.errors import ModelError
from graphflow.models.appliers import PATCHES
from graphflow.models.compilation import compile_blocks, why_not
from graphflow.ports import CompilePatch


class NoFiles:
    """This patch brings no files."""

    def path(self, file: str, fingerprint: str, kind: str) -> Path:
        raise ModelError(f"no file {file}")


@pytest.fixture(scope="module")
def unet() -> UNet2DConditionModel:
    torch.manual_seed(0)
    network = UNet2DConditionModel(
        sample_size=8, block_out_channels=(16,), norm_num_groups=8, layers_per_block=1, cross_attention_dim=12,
        down_block_types=("CrossAttnDownBlock2D",), up_block_types=("CrossAttnUpBlock2D",),
    )  # fmt: skip
    return network.eval().requires_grad_(False)


def test_on_a_cpu_nothing_is_compiled_and_the_log_says_so(
    unet: UNet2DConditionModel, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="graphflow.models.compilation"):
        undo = PATCHES.apply(unet, [CompilePatch()], NoFiles())
    assert "UNet2DConditionModel is not compiled: it is on: cpu" in caplog.text
    assert all(module._compiled_call_impl is None for module in unet.modules())
    undo()


def test_a_network_without_repeated_blocks_is_left_as_it_is() -> None:
    assert why_not(nn.Linear(2, 2)) == "diffusers names no blocks of it that repeat"


def test_compiled_blocks_compute_the_same_and_are_undone(unet: UNet2DConditionModel) -> None:
    seen: list[int] = []

    def backend(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> torch.fx.GraphModule:
        seen.append(len(graph.graph.nodes))
        return graph

    call = (torch.randn(1, 4, 8, 8), 500, torch.randn(1, 3, 12))
    with torch.no_grad():
        exact = unet(*call, return_dict=False)[0]
        undo = compile_blocks(unet, backend=backend)
        assert torch.equal(unet(*call, return_dict=False)[0], exact)
        compiled = len(seen)
        assert compiled > 0
        undo()
        assert torch.equal(unet(*call, return_dict=False)[0], exact)
    assert len(seen) == compiled
    assert all(module._compiled_call_impl is None for module in unet.modules())
