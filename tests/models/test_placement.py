"""Who leaves the device when room is needed."""

from __future__ import annotations

import pytest

from graphflow.errors import OutOfMemory
from graphflow.models.devices import Memory
from graphflow.models.placement import BudgetedPlacement, Resident, default_budget, megabytes


def resident(key: str, size: int, last_use: int, *, single_pass: bool = False, in_use: bool = False) -> Resident:
    return Resident(key, size, single_pass, last_use, in_use)


def test_nobody_leaves_while_there_is_room() -> None:
    assert BudgetedPlacement(100).leaving([resident("a", 50, 1)], needed=50, wanted_by="b") == []


def test_single_pass_networks_leave_first_then_the_longest_unused() -> None:
    here = [resident("unet", 40, 1), resident("text", 20, 3, single_pass=True), resident("refiner", 40, 2)]
    placement = BudgetedPlacement(100)
    assert placement.leaving(here, needed=10, wanted_by="vae") == ["text"]
    assert placement.leaving(here, needed=30, wanted_by="vae") == ["text", "unet"]


def test_networks_in_use_stay_and_the_message_counts_them() -> None:
    here = [resident("unet", 80_000_000, 1, in_use=True)]
    with pytest.raises(
        OutOfMemory, match=r"the vae needs 30.0 MB of weights, but the budget is 100.0 MB, of which 80.0 MB are in use"
    ):
        BudgetedPlacement(100_000_000).leaving(here, needed=30_000_000, wanted_by="the vae")


def test_without_a_setting_the_budget_is_a_share_of_the_memory() -> None:
    assert default_budget(Memory(free=1, total=1000), is_host=True) == 750
    assert default_budget(Memory(free=1, total=1000), is_host=False) == 900


def test_sizes_are_written_for_people() -> None:
    assert (megabytes(1_500_000), megabytes(3_440_000_000)) == ("1.5 MB", "3.44 GB")
