"""Who stays in RAM."""

import threading

import torch

from graphflow.cache import MemoryTier
from graphflow.cache.memory import ENTRY_BYTES
from graphflow.ports import Latent


def megabyte() -> dict[str, Latent]:
    return {"latent": Latent(torch.zeros(250_000))}


def test_values_are_private_in_both_directions() -> None:
    tier = MemoryTier(10**7)
    given = {"latent": Latent(torch.zeros(3)), "list": [1]}
    tier.put("key", given, seconds=1)
    given["latent"].samples.add_(1)
    given["list"].append(2)
    first = tier.get("key")
    first["latent"].samples.add_(5)
    first["list"].append(6)
    second = tier.get("key")
    assert second["latent"].samples.sum() == 0
    assert second["list"] == [1]


def test_plain_results_are_private_too() -> None:
    tier = MemoryTier(10**6)
    tier.put("key", {"int": 1}, seconds=0)
    tier.get("key")["int"] = 2
    assert tier.get("key") == {"int": 1}


def test_the_cheapest_per_byte_leaves_first() -> None:
    tier = MemoryTier(3_100_000)
    tier.put("slow", megabyte(), seconds=100)
    tier.put("fast", megabyte(), seconds=1)
    tier.put("medium", megabyte(), seconds=10)
    tier.put("new", megabyte(), seconds=10)
    assert not tier.contains("fast")
    assert all(map(tier.contains, ["slow", "medium", "new"]))


def test_of_equal_cost_the_larger_leaves_first() -> None:
    tier = MemoryTier(2_200_000)
    tier.put("large", {"t": torch.zeros(400_000)}, seconds=1)
    tier.put("small", {"t": torch.zeros(100)}, seconds=1)
    tier.put("new", megabyte(), seconds=1)
    assert not tier.contains("large")
    assert tier.contains("small")


def test_use_keeps_a_result() -> None:
    tier = MemoryTier(3_100_000)
    for key in ("a", "b", "c"):
        tier.put(key, megabyte(), seconds=1)
    tier.get("a")
    tier.put("d", megabyte(), seconds=1)
    assert tier.contains("a")
    assert not tier.contains("b")


def test_an_expensive_result_ages_when_nobody_asks_for_it() -> None:
    tier = MemoryTier(2_100_000)
    tier.put("once dear", megabyte(), seconds=5)
    for number in range(20):
        tier.put(f"n{number}", megabyte(), seconds=1)
    assert not tier.contains("once dear")


def test_the_limit_holds_and_larger_values_are_not_kept() -> None:
    tier = MemoryTier(2_000_000)
    assert not tier.put("too large", {"t": torch.zeros(10**6)}, seconds=1000)
    for number in range(30):
        assert tier.put(f"k{number}", megabyte(), seconds=number)
        assert tier.stats().bytes <= 2_000_000
    assert tier.stats().evictions == 29


def test_storing_again_replaces_and_counts_once() -> None:
    tier = MemoryTier(10**6)
    for number in range(1000):
        tier.put("key", {"int": number}, seconds=1)
    assert tier.get("key") == {"int": 999}
    assert tier.stats().entries == 1
    assert tier.stats().bytes < 2 * ENTRY_BYTES


def test_clear_and_remove() -> None:
    tier = MemoryTier(10**6)
    tier.put("a", {"int": 1}, seconds=1)
    tier.put("b", {"int": 1}, seconds=1)
    tier.remove("a")
    assert tier.get("a") is None
    tier.clear()
    assert tier.stats().bytes == tier.stats().entries == 0


def test_threads_keep_the_count_right() -> None:
    tier = MemoryTier(100_000)

    def work(name: int) -> None:
        for number in range(500):
            tier.put(f"{(name * number) % 300}", {"text": "x" * (number % 90)}, seconds=number)
            tier.get(f"{number % 300}")

    threads = [threading.Thread(target=work, args=(name,)) for name in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = tier.stats()
    assert stats.bytes <= 100_000
    assert stats.bytes == sum(entry.bytes for entry in tier._entries.values())
