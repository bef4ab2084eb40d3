"""A tensor that was copied out of a file does not stay in memory as the file's pages."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from graphflow.models.headers import read_headers
from graphflow.models.weights import WeightReader

MEBIBYTE = 2**20


def file_pages() -> int:
    """Bytes of mapped files that are in this process's memory now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssFile:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no RssFile in /proc/self/status")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pages are given back on Linux only")
def test_released_pages_leave_memory_and_come_back_unharmed(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    weights = torch.arange(8 * MEBIBYTE, dtype=torch.float32)
    save_file({"a": weights, "b": torch.ones(3)}, path)
    header = read_headers(path).tensors["a"]
    with WeightReader() as reader:
        before = file_pages()
        mapped = reader.read(header)
        total = float(mapped.double().sum())
        assert file_pages() - before > 30 * MEBIBYTE
        reader.release(header)
        assert file_pages() - before < 8 * MEBIBYTE  # code of torch comes in meanwhile
        assert float(mapped.double().sum()) == total
        assert torch.equal(reader.read(header), weights)
