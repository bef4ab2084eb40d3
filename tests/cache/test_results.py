"""Both tiers as the engine meets them."""

import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from graphflow.cache import ArtifactStore, DiskTier, MemoryTier, ResultCache
from graphflow.cache.writer import BackgroundWriter, PendingWrite
from graphflow.ports import Image, Latent


def opened(folder: Path, *, ram: int = 10**7, **options: Any) -> ResultCache:
    return ResultCache(MemoryTier(ram), DiskTier(folder, 10**9), **options)


def latent(count: int = 4) -> dict[str, Any]:
    return {"latent": Latent(torch.arange(count, dtype=torch.float32))}


def test_a_slow_result_survives_a_restart(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    cache.put("key", latent(), seconds=1, node_type="core.x", explain=lambda: {"seed": 7})
    cache.close()
    again = opened(tmp_path)
    assert again.contains("key")
    result = again.get("key")
    assert result is not None
    assert result["latent"].samples.tolist() == [0, 1, 2, 3]
    assert again.memory.contains("key")
    record = again.disk.record("key")
    assert record is not None
    assert record.explain == {"seed": 7}


@pytest.mark.parametrize(
    ("seconds", "policy", "in_ram", "on_disk"),
    [
        (0.0001, "auto", True, False),
        (0.1, "auto", True, True),
        (0.0001, "disk", True, True),
        (100, "never", False, False),
    ],
)
def test_the_policy_says_where_a_result_goes(
    tmp_path: Path, seconds: float, policy: Any, in_ram: bool, on_disk: bool
) -> None:
    cache = opened(tmp_path)
    cache.put("key", latent(), seconds=seconds, policy=policy)
    cache.flush()
    assert cache.memory.contains("key") == in_ram
    assert cache.disk.contains("key") == on_disk
    assert cache.contains("key") == (in_ram or on_disk)


def test_trivial_results_never_touch_the_disk_nor_ask_for_an_explanation(tmp_path: Path) -> None:
    def explain() -> dict[str, Any]:
        raise AssertionError

    cache = opened(tmp_path / "cache")
    cache.put("key", {"int": 3}, seconds=0.00001, explain=explain)
    cache.close()
    assert cache.get("key") == {"int": 3}
    assert not (tmp_path / "cache").exists()


def test_two_takers_never_share(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    given = latent()
    cache.put("key", given, seconds=1)
    given["latent"].samples.add_(1)
    for _ in range(2):
        taken = cache.get("key")
        assert taken is not None
        assert taken["latent"].samples.sum() == 6
        taken["latent"].samples.add_(1)
    cache.flush()
    fresh = opened(tmp_path)
    for _ in range(2):
        taken = fresh.get("key")
        assert taken is not None
        assert taken["latent"].samples.sum() == 6
        taken["latent"].samples.add_(1)


def test_a_result_too_large_for_ram_comes_from_disk(tmp_path: Path) -> None:
    cache = opened(tmp_path, ram=1000)
    cache.put("key", latent(10_000), seconds=1)
    assert cache.contains("key")
    assert cache.get("key") is not None
    cache.flush()
    assert not cache.memory.contains("key")
    assert cache.get("key") is not None


def test_a_result_counts_only_while_its_artifacts_exist(tmp_path: Path) -> None:
    artifacts = ArtifactStore(tmp_path / "artifacts")
    file = artifacts.save(b"bytes", suffix="png", media_type="image/png")
    cache = opened(tmp_path / "cache", artifact_exists=artifacts.exists)
    cache.put("key", {"file": file, "list": [file]}, seconds=1)
    cache.flush()
    for one in (cache, opened(tmp_path / "cache", artifact_exists=artifacts.exists)):
        assert one.contains("key")
        assert one.get("key") is not None
    artifacts.delete(file.name)
    for one in (cache, opened(tmp_path / "cache", artifact_exists=artifacts.exists)):
        assert not one.contains("key")
        assert one.get("key") is None
    artifacts.save(b"bytes", suffix="png", media_type="image/png")
    assert cache.contains("key")


def test_a_fan_is_present_while_all_its_elements_are(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    for number in range(3):
        cache.put(f"element{number}", latent(), seconds=1)
    keys = [f"element{number}" for number in range(3)]
    cache.put_fan("fan", ["latent"], keys, seconds=3)
    cache.flush()
    for one in (cache, opened(tmp_path)):
        assert one.contains("fan")
        assert one.fan("fan") == keys
        whole = one.get("fan")
        assert whole is not None
        assert [item.samples.sum().item() for item in whole["latent"]] == [6, 6, 6]
        assert one.fan("element0") is None
        assert one.fan("nothing") is None
    cache.remove("element1")
    for one in (cache, opened(tmp_path)):
        assert not one.contains("fan")
        assert one.fan("fan") is None
        assert one.get("fan") is None


def test_a_fan_of_nothing_is_present(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    cache.put_fan("fan", ["image"], [], seconds=0)
    assert cache.contains("fan")
    assert cache.fan("fan") == []
    assert cache.get("fan") == {"image": []}


def test_a_fan_of_cheap_elements_stays_in_ram(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    cache.put("element", {"int": 1}, seconds=0)
    cache.put_fan("fan", ["int"], ["element"], seconds=1)
    cache.flush()
    assert cache.contains("fan")
    assert not cache.disk.contains("fan")


def test_results_that_cannot_be_kept_are_told_once_and_raise_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = opened(tmp_path)
    for key in ("first", "second"):
        cache.put(key, {"lock": threading.Lock()}, seconds=1, node_type="core.x")
    assert not cache.contains("first")
    assert len(caplog.records) == 1
    assert "core.x" in caplog.text
    cache.put("third", {"set": {1}}, seconds=1, node_type="core.y")
    cache.flush()
    assert cache.get("third") == {"set": {1}}
    assert not cache.disk.contains("third")
    assert "core.y" in caplog.text


def test_damage_is_a_miss_behind_both_tiers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = opened(tmp_path)
    cache.put("key", latent(), seconds=1)
    cache.close()
    os.truncate(tmp_path / "ke" / "key" / "record.json", 10)
    again = opened(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert not again.contains("key")
    assert again.get("key") is None
    assert len(caplog.records) == 1


def test_a_closed_cache_still_serves_and_keeps_in_ram(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    cache.put("one", latent(), seconds=1)
    cache.close()
    cache.close()
    cache.put("two", latent(), seconds=1)
    assert cache.get("one") is not None
    assert cache.get("two") is not None
    assert not cache.disk.contains("two")


def test_clear_forgets_everything_but_scratch(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    cache.put("key", {"image": Image(torch.rand(1, 3, 2, 2))}, seconds=1)
    kept = cache.scratch("key") / "step"
    kept.write_text("1")
    cache.clear()
    assert not cache.contains("key")
    assert kept.exists()
    stats = cache.stats()
    assert stats.memory.entries == stats.disk.entries == 0


def test_the_queue_of_writes_is_limited_by_bytes_and_keeps_order() -> None:
    gate = threading.Event()
    written: list[str] = []

    def write(pending: PendingWrite) -> None:
        gate.wait(10)
        written.append(pending.key)

    writer = BackgroundWriter(write, limit_bytes=100)
    for key in ("a", "b"):
        writer.submit(PendingWrite(key, None, 1.0, 50))
    late = threading.Thread(target=writer.submit, args=(PendingWrite("c", None, 1.0, 500),))
    late.start()
    time.sleep(0.05)
    assert late.is_alive()
    assert writer.find("a") is not None
    assert writer.find("c") is None
    gate.set()
    late.join(10)
    writer.flush()
    assert written == ["a", "b", "c"]
    assert writer.find("a") is None
    writer.close()
    assert not writer.submit(PendingWrite("d", None, 1.0, 1))


def test_a_write_that_fails_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    written: list[str] = []

    def write(pending: PendingWrite) -> None:
        if pending.key == "bad":
            raise RuntimeError("no")
        written.append(pending.key)

    writer = BackgroundWriter(write, limit_bytes=100)
    for key in ("bad", "good"):
        writer.submit(PendingWrite(key, None, 1.0, 1))
    writer.close()
    assert written == ["good"]
    assert "bad" in caplog.text
