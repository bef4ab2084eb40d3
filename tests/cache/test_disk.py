"""Results survive the process, and nothing on disk can hurt a run."""

import json
import logging
import os
import shutil
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from graphflow.cache import CannotEncode, DiskTier
from graphflow.cache.disk import RECORD, TENSORS
from graphflow.cache.eviction import HALF_LIFE, Candidate, is_worth_disk, victims
from graphflow.ports import Image, Latent

KEY = "3f9c" + "0" * 60


def latent(count: int = 4) -> dict[str, Latent]:
    return {"latent": Latent(torch.arange(count, dtype=torch.float32))}


@pytest.fixture
def tier(tmp_path: Path) -> DiskTier:
    return DiskTier(tmp_path / "cache", 10**9)


def put(tier: DiskTier, key: str = KEY, value: Any = None, **details: Any) -> bool:
    return tier.put(key, latent() if value is None else value, **{"seconds": 1.0, **details})


def test_a_result_is_found_by_another_tier_on_the_same_folder(tier: DiskTier) -> None:
    assert not tier.contains(KEY)
    assert tier.get(KEY) is None
    assert put(tier, node_type="core.x", explain={"seed": 7})
    other = DiskTier(tier.folder, 10**9)
    assert other.contains(KEY)
    assert other.get(KEY)["latent"].samples.tolist() == [0, 1, 2, 3]
    record = other.record(KEY)
    assert (record.node_type, record.seconds, record.explain) == ("core.x", 1.0, {"seed": 7})
    assert (tier.folder / "3f" / KEY / TENSORS).is_file()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.bool, torch.float8_e4m3fn, torch.complex64, torch.uint16])
def test_every_element_type_comes_back(tier: DiskTier, dtype: torch.dtype) -> None:
    tensor = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).to(dtype)
    put(tier, value={"t": tensor})
    back = tier.get(KEY)["t"]
    assert back.dtype == dtype
    assert torch.equal(back.view(torch.uint8), tensor.view(torch.uint8))


def test_odd_tensors_come_back(tier: DiskTier) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    value = {
        "zero-dimensional": torch.tensor(3),
        "empty": torch.empty(0, 4),
        "also empty": torch.empty(0),
        "transposed": base.t(),
        "slice": base[1:2],
        "same": [base, base],
        "channels last": torch.rand(1, 3, 4, 4).to(memory_format=torch.channels_last),
        "conjugate": torch.tensor([1 + 2j]).conj(),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "name with\nbreak": torch.ones(1),
    }
    put(tier, value=value)
    back = tier.get(KEY)
    assert back["zero-dimensional"].shape == ()
    assert back["empty"].shape == (0, 4)
    for name in ("transposed", "slice", "channels last", "conjugate", "parameter", "name with\nbreak"):
        assert torch.equal(back[name], value[name])
    back["same"][0].add_(1)
    assert torch.equal(back["same"][1], base)


def test_arrays_and_blobs_live_beside_tensors(tier: DiskTier) -> None:
    import numpy as np

    value = {"t": torch.ones(2), "a": np.arange(3), "scalar": np.float32(0.5), "blob": b"ab" * 5000}
    put(tier, value=value)
    back = tier.get(KEY)
    back["a"] += 1
    assert back["a"].tolist() == [1, 2, 3]
    assert back["blob"] == value["blob"]
    assert type(back["scalar"]) is np.float32


def test_loaded_tensors_outlive_their_file(tier: DiskTier) -> None:
    put(tier)
    tensor = tier.get(KEY)["latent"].samples
    tensor.add_(1)
    tier.remove(KEY)
    assert tensor.tolist() == [1, 2, 3, 4]


def damage_truncate(folder: Path) -> None:
    path = folder / TENSORS
    path.write_bytes(path.read_bytes()[:-3])


def damage_flip(folder: Path) -> None:
    path = folder / TENSORS
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def damage_empty_record(folder: Path) -> None:
    (folder / RECORD).write_bytes(b"")


def damage_cut_record(folder: Path) -> None:
    path = folder / RECORD
    path.write_bytes(path.read_bytes()[:-20])


def damage_edit_record(folder: Path) -> None:
    path = folder / RECORD
    path.write_bytes(path.read_bytes().replace(b'"seconds":1.0', b'"seconds":9.0'))


def damage_missing_tensors(folder: Path) -> None:
    (folder / TENSORS).unlink()


@pytest.mark.parametrize(
    "damage",
    [
        damage_truncate,
        damage_flip,
        damage_empty_record,
        damage_cut_record,
        damage_edit_record,
        damage_missing_tensors,
    ],
)
def test_a_damaged_entry_is_a_miss_with_one_warning_and_is_removed(
    tier: DiskTier, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    put(tier)
    damage(tier.folder / "3f" / KEY)
    with caplog.at_level(logging.WARNING, logger="graphflow.cache"):
        assert tier.get(KEY) is None
        assert tier.get(KEY) is None
    assert len(caplog.records) == 1
    assert KEY in caplog.text
    assert not tier.contains(KEY)
    assert put(tier)
    assert tier.get(KEY) is not None


def test_an_entry_moved_under_another_key_is_not_believed(tier: DiskTier) -> None:
    put(tier)
    other = "3f" + "1" * 62
    shutil.copytree(tier.folder / "3f" / KEY, tier.folder / "3f" / other)
    assert tier.get(other) is None
    assert tier.get(KEY) is not None


def test_a_folder_without_record_is_replaced(tier: DiskTier) -> None:
    put(tier)
    (tier.folder / "3f" / KEY / RECORD).unlink()
    assert not tier.contains(KEY)
    assert put(tier)
    assert tier.get(KEY) is not None


def test_a_result_whose_pack_is_not_loaded_is_a_miss_but_stays(
    tier: DiskTier, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    module = types.ModuleType("some_pack")
    exec("from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Thing:\n    x: int", module.__dict__)
    monkeypatch.setitem(sys.modules, "some_pack", module)
    put(tier, value={"thing": module.Thing(3)})
    monkeypatch.delitem(sys.modules, "some_pack")
    assert tier.get(KEY) is None
    assert "some_pack" in caplog.text
    loaded = DiskTier(tier.folder, 10**9, find_module=lambda name: module if name == "some_pack" else None)
    assert loaded.get(KEY)["thing"] == module.Thing(3)
    del module.Thing
    assert loaded.get(KEY) is None
    assert not tier.contains(KEY)


def test_what_cannot_be_encoded_leaves_nothing_behind(tier: DiskTier) -> None:
    with pytest.raises(CannotEncode):
        put(tier, value={"x": object()})
    assert not tier.folder.exists()


def test_bad_keys_are_refused(tier: DiskTier) -> None:
    for key in ("", "..", "a/b", "../../x", "a" * 200):
        assert not tier.contains(key)
        with pytest.raises(ValueError, match="not a key"):
            tier.scratch(key)


def test_the_cheapest_per_byte_leave_first_when_the_folder_is_full(tmp_path: Path) -> None:
    tier = DiskTier(tmp_path, 500_000)
    value = {"t": torch.zeros(25_000)}
    for number, seconds in enumerate([50, 2, 40, 1, 30]):
        tier.put(f"key{number}", value, seconds=seconds)
    assert tier.stats().bytes <= 500_000
    assert {entry.record.seconds for entry in tier.entries()} == {50, 40, 30, 2}


def test_results_larger_than_the_limit_are_not_written(tmp_path: Path) -> None:
    tier = DiskTier(tmp_path / "cache", 1000)
    assert not tier.put(KEY, {"t": torch.zeros(1000)}, seconds=100)
    assert not tier.folder.exists()


def test_writes_of_others_count_towards_the_limit(tmp_path: Path) -> None:
    first, second = DiskTier(tmp_path, 1_000_000), DiskTier(tmp_path, 1_000_000)
    for number in range(20):
        value = {"t": torch.zeros(25_000)}
        first.put(f"first{number}", value, seconds=1)
        second.put(f"second{number}", value, seconds=1)
    assert first.stats().bytes < 1_200_000


def test_eviction_weighs_cost_size_and_time_since_use() -> None:
    now = 1e9
    candidates = [
        Candidate("dear", 100.0, 10**6, now),
        Candidate("cheap", 1.0, 10**6, now),
        Candidate("large", 1.0, 10**8, now),
        Candidate("dear but old", 100.0, 10**6, now - 8 * HALF_LIFE),
    ]
    assert victims(candidates, 10**9) == ["large", "dear but old", "cheap", "dear"]
    assert victims(candidates, 1) == ["large"]
    assert victims(candidates, 0) == []


def test_use_is_remembered_across_processes(tier: DiskTier) -> None:
    put(tier)
    path = tier.folder / "3f" / KEY / RECORD
    os.utime(path, (1, 1))
    tier.get(KEY)
    assert time.time() - next(tier.entries()).last_used < 60


def test_only_what_is_slower_to_make_than_to_read_goes_to_disk() -> None:
    assert not is_worth_disk(0.0009, 10)
    assert is_worth_disk(0.0011, 10)
    assert not is_worth_disk(0.1, 400_000_000)
    assert is_worth_disk(1.1, 400_000_000)


def test_a_folder_that_cannot_be_made_is_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    tier = DiskTier(tmp_path / "file", 10**9)
    assert not put(tier)
    assert not put(tier)
    assert not tier.contains(KEY)
    assert tier.get(KEY) is None
    assert len(caplog.records) == 1
    assert "cannot be written" in caplog.text


def test_clear_keeps_scratch_and_remove_takes_one(tier: DiskTier) -> None:
    put(tier)
    put(tier, "other")
    file = tier.scratch(KEY) / "step"
    file.write_text("1")
    assert tier.remove("other")
    assert not tier.remove("other")
    assert tier.clear() == 1
    assert tier.stats().entries == 0
    assert file.read_text() == "1"
    assert tier.scratch(KEY) == DiskTier(tier.folder, 1).scratch(KEY)
    tier.clear_scratch(KEY)
    assert not file.exists()
    tier.scratch(KEY)
    tier.clear_scratch()
    assert not (tier.folder / "scratch").exists()


def test_records_are_json_that_people_can_read(tier: DiskTier) -> None:
    put(tier, value={"image": Image(torch.zeros(1, 3, 2, 2)), "int": 3})
    content = json.loads((tier.folder / "3f" / KEY / RECORD).read_text())
    assert content["format"] == 1
    assert content["entries"] == {"image.pixels": "tensor"}
    assert content["structure"]["dict"]["int"] == 3
