"""Digests that follow content and cost one look when nothing changed."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from graphflow.errors import InputFileError
from graphflow.models.fingerprint import Fingerprints


def settled(path: Path, content: bytes, at: int = 1_000_000_000) -> Path:
    """A file last changed long ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, ns=(at, at))
    return path


def test_the_same_content_has_the_same_digest_anywhere(tmp_path: Path) -> None:
    fingerprints = Fingerprints()
    assert fingerprints.of(settled(tmp_path / "a", b"x")) == fingerprints.of(settled(tmp_path / "b", b"x"))
    assert fingerprints.of(tmp_path / "a") != fingerprints.of(settled(tmp_path / "c", b"y"))


def test_a_big_file_has_the_digest_of_its_bytes(tmp_path: Path) -> None:
    from blake3 import blake3

    content = os.urandom(1000) * 5000
    assert Fingerprints().of(settled(tmp_path / "big", content)) == blake3(content).hexdigest()


def test_an_unchanged_file_is_read_once_even_by_another_process(tmp_path: Path) -> None:
    path, table = settled(tmp_path / "a", b"x"), tmp_path / "home" / "cache" / "fingerprints.json"
    first, second = Fingerprints(table), Fingerprints(table)
    assert first.of(path) == first.of(path) == second.of(path)
    assert (first.files_read, second.files_read) == (1, 0)


@pytest.mark.parametrize("content", [b"another length", b"y"])
def test_a_file_overwritten_in_place_is_noticed(tmp_path: Path, content: bytes) -> None:
    fingerprints = Fingerprints()
    path = settled(tmp_path / "a", b"x")
    before = fingerprints.of(path)
    settled(path, content, at=2_000_000_000)
    assert fingerprints.of(path) != before


def test_a_file_replaced_with_the_same_size_and_time_is_noticed(tmp_path: Path) -> None:
    fingerprints = Fingerprints()
    path = settled(tmp_path / "a", b"x")
    before = fingerprints.of(path)
    os.replace(settled(tmp_path / "new", b"y"), path)
    assert fingerprints.of(path) != before


def test_two_writes_within_one_clock_tick_are_told_apart(tmp_path: Path) -> None:
    fingerprints = Fingerprints()
    path = tmp_path / "a"
    digests = []
    for content in (b"x", b"y"):
        path.write_bytes(content)
        stat = path.stat()
        digests.append(fingerprints.of(path))
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert digests[0] != digests[1]


def test_a_folder_counts_names_and_contents_but_no_dotfiles(tmp_path: Path) -> None:
    fingerprints = Fingerprints()
    settled(tmp_path / "m" / "unet" / "w", b"x")
    before = fingerprints.of(tmp_path / "m")
    settled(tmp_path / "m" / ".cache" / "lock", b"x")
    settled(tmp_path / "m" / ".gitattributes", b"x")
    assert fingerprints.of(tmp_path / "m") == before
    (tmp_path / "m" / "unet" / "w").rename(tmp_path / "m" / "unet" / "v")
    assert fingerprints.of(tmp_path / "m") != before


def test_a_model_file_counts_its_sidecar_and_its_shards(tmp_path: Path) -> None:
    fingerprints = Fingerprints()
    path = settled(tmp_path / "m.safetensors", b"x")
    alone = fingerprints.of_model(path)
    settled(tmp_path / "m.safetensors.json", b"{}")
    assert fingerprints.of_model(path) != alone
    index = settled(tmp_path / "s.safetensors.index.json", json.dumps({"weight_map": {"a": "m.safetensors"}}).encode())
    before = fingerprints.of_model(index)
    settled(path, b"z", at=2_000_000_000)
    assert fingerprints.of_model(index) != before


@pytest.mark.parametrize("damage", ["", "not json", "[1, 2]", '{"/a": 3}'])
def test_a_damaged_table_is_an_empty_one(tmp_path: Path, damage: str) -> None:
    table = tmp_path / "fingerprints.json"
    table.write_text(damage)
    path = settled(tmp_path / "a", b"x")
    assert Fingerprints(table).of(path) == Fingerprints().of(path)
    assert str(path) in json.loads(table.read_text())


def test_two_writers_keep_each_others_entries(tmp_path: Path) -> None:
    table = tmp_path / "fingerprints.json"
    paths = [settled(tmp_path / f"f{number}", bytes([number])) for number in range(20)]

    def digest_half(start: int) -> None:
        fingerprints = Fingerprints(table)
        for path in paths[start::2]:
            fingerprints.of(path)
        fingerprints.close()

    threads = [threading.Thread(target=digest_half, args=(start,)) for start in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(json.loads(table.read_text())) == {str(path) for path in paths}


def test_many_files_write_the_table_a_few_times(tmp_path: Path) -> None:
    table = tmp_path / "home" / "fingerprints.json"
    paths = [settled(tmp_path / f"f{number}", bytes([number])) for number in range(50)]
    fingerprints = Fingerprints(table)
    fingerprints.of(paths[0])
    first = table.stat().st_mtime_ns
    for path in paths[1:10]:
        fingerprints.of(path)
    assert table.stat().st_mtime_ns == first
    for path in paths[10:]:
        fingerprints.of(path)
    fingerprints.close()
    again = Fingerprints(table)
    assert [again.of(path) for path in paths] == [fingerprints.of(path) for path in paths]
    assert again.files_read == 0


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="cannot be read"):
        Fingerprints().of(tmp_path / "none")
