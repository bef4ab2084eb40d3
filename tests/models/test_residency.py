"""What happens when memory ends while a network is loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from graphflow.errors import ModelError, OutOfMemory
from graphflow.models.patches import PatchRegistry
from graphflow.models.placement import BudgetedPlacement
from graphflow.models.residency import Residency, Wanted, is_out_of_memory


class NoFiles:
    """Nothing here is patched."""

    def path(self, file: str, fingerprint: str, kind: str) -> Path:
        raise ModelError(f"no file {file}")


@pytest.fixture
def residency() -> Residency:
    return Residency(torch.device("cpu"), BudgetedPlacement(10**9), PatchRegistry())


def wanted(key: str, load: Callable[[], nn.Module]) -> Wanted:
    return Wanted(key, f"the {key}", bytes=100, single_pass=False, load=load)


def too_big() -> nn.Module:
    torch.empty(2**55)
    raise AssertionError("no machine has this much memory")


def test_loading_is_tried_once_more_after_the_others_are_freed(residency: Residency) -> None:
    tried: list[int] = []

    def fits_alone() -> nn.Module:
        tried.append(len(residency.residents()))
        return too_big() if len(tried) == 1 else nn.Identity()

    with residency.use(wanted("a", nn.Identity), (), NoFiles()):
        pass
    with residency.use(wanted("b", fits_alone), (), NoFiles()) as module:
        assert isinstance(module, nn.Identity)
    assert tried == [1, 0]


def test_what_does_not_fit_even_alone_says_what_was_needed_and_what_helps(residency: Residency) -> None:
    message = r"even after everything else was freed: the big has 0.0 MB of weights, .* are free"
    with pytest.raises(OutOfMemory, match=message), residency.use(wanted("big", too_big), (), NoFiles()):
        pass
    assert residency.residents() == []


def test_other_errors_of_loading_pass_through_and_leave_no_trace(residency: Residency) -> None:
    def broken() -> nn.Module:
        raise ModelError("damaged")

    with pytest.raises(ModelError, match="damaged"), residency.use(wanted("x", broken), (), NoFiles()):
        pass
    with residency.use(wanted("x", nn.Identity), (), NoFiles()):
        assert [resident.in_use for resident in residency.residents()] == [True]


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (OSError(12, "Cannot allocate memory"), True),
        (RuntimeError("shape mismatch"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_only_errors_of_memory_count_as_such(error: Exception, is_memory: bool) -> None:
    assert is_out_of_memory(error) is is_memory
