"""Several processes, one folder; and processes that are killed."""

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from graphflow.cache import DiskTier
from graphflow.cache.drafts import MAX_AGE, Drafts

ROOT = Path(__file__).parents[2]


def python(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


WRITE_AND_READ = """
import sys, pathlib, numpy as np
from graphflow.cache import DiskTier
folder, limit = pathlib.Path(sys.argv[1]), int(sys.argv[2])
tier = DiskTier(folder, limit)
hits = 0
for turn in range(3):
    for number in range(40):
        key = f"key{number:04}"
        value = tier.get(key)
        if value is None:
            tier.put(key, {"a": np.full(2000, number)}, seconds=number)
        else:
            assert value["a"].tolist() == [number] * 2000
            hits += 1
print(hits)
"""


@pytest.mark.parametrize("limit", [10**9, 300_000], ids=["roomy", "evicting"])
def test_processes_share_a_folder(tmp_path: Path, limit: int) -> None:
    processes = [python(WRITE_AND_READ, tmp_path, limit) for _ in range(2)]
    outputs = [finish(process) for process in processes]
    if limit == 10**9:
        assert all(int(output) >= 80 for output in outputs)
    tier = DiskTier(tmp_path, limit)
    assert all(tier.get(entry.record.key) is not None for entry in tier.entries())
    assert tier.stats().bytes <= limit * 1.2
    assert not list((tmp_path / "drafts").iterdir())


WRITE_FOREVER = """
import sys, pathlib, itertools, numpy as np
from graphflow.cache import DiskTier
tier = DiskTier(pathlib.Path(sys.argv[1]), 10**9)
print("begun", flush=True)
for number in itertools.count():
    tier.put(f"key{number:06}", {"a": np.full(200_000, number)}, seconds=1)
"""


def test_a_killed_writer_leaves_only_whole_entries_and_drafts_that_are_swept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        process = python(WRITE_FOREVER, tmp_path)
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
    tier = DiskTier(tmp_path, 10**9)
    found = [entry.record.key for entry in tier.entries()]
    assert found
    for key in found:
        assert set(tier.get(key)["a"].tolist()) == {int(key[3:])}
    assert not caplog.records
    tier.put("new", {"int": 1}, seconds=1)
    assert not list((tmp_path / "drafts").iterdir())


def test_drafts_of_living_writers_and_other_machines_stay_until_they_are_old(tmp_path: Path) -> None:
    drafts = Drafts(tmp_path)
    mine = drafts.new()
    elsewhere = tmp_path / f"another-host.1.{uuid.uuid4().hex[:12]}"
    elsewhere.mkdir()
    assert drafts.sweep() == 0
    for path in (mine, elsewhere):
        os.utime(path, (time.time() - MAX_AGE - 60,) * 2)
    assert drafts.sweep() == 2
    assert not list(tmp_path.iterdir())


LIMITED = """
import sys, pathlib, resource, logging, numpy as np
logging.basicConfig(stream=sys.stdout, format="%(message)s")
from graphflow.cache import DiskTier
tier = DiskTier(pathlib.Path(sys.argv[1]), 10**9)
tier.put("before", {"a": np.zeros(3)}, seconds=1)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
for key in ("one", "two"):
    assert not tier.put(key, {"a": np.zeros(100_000)}, seconds=1)
assert not tier.put("text", {"a": "x" * 100_000}, seconds=1)
assert tier.put("small", {"a": np.zeros(3)}, seconds=1)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on file sizes")
def test_a_disk_that_takes_no_more_is_a_warning_and_leaves_no_draft(tmp_path: Path) -> None:
    told = finish(python(LIMITED, tmp_path)).splitlines()
    assert told
    assert all(line.startswith("results are not kept on disk") and "too large" in line for line in told)
    assert len(told) <= 2
    assert not list((tmp_path / "drafts").iterdir())
    tier = DiskTier(tmp_path, 10**9)
    assert {entry.record.key for entry in tier.entries()} == {"before", "small"}


PLAIN = """
import sys, pathlib
from graphflow.cache import ArtifactStore, DiskTier, MemoryTier, ResultCache
from graphflow.ports import Denoiser
value = {"recipe": Denoiser("f", "x", "sd15", "unet"), "text": "t", "list": [1, 2.5, (None,)]}
cache = ResultCache(MemoryTier(10**6), DiskTier(pathlib.Path(sys.argv[1]), 10**9))
if cache.get("key") is None:
    cache.put("key", value, seconds=1, policy="disk")
    cache.close()
else:
    assert cache.get("key") == value
    print("read", end=" ")
print("torch" in sys.modules, "numpy" in sys.modules, "safetensors" in sys.modules)
"""


def test_results_without_tensors_import_neither_torch_nor_numpy(tmp_path: Path) -> None:
    assert finish(python(PLAIN, tmp_path)) == "False False False\n"
    assert finish(python(PLAIN, tmp_path)) == "read False False False\n"


def test_tensors_written_by_one_process_are_read_by_the_next(tmp_path: Path) -> None:
    write = """
import sys, pathlib, torch
from graphflow.cache import DiskTier, MemoryTier, ResultCache
from graphflow.ports import Image
cache = ResultCache(MemoryTier(10**6), DiskTier(pathlib.Path(sys.argv[1]), 10**9))
cache.put("key", {"image": Image(torch.full((1, 3, 8, 8), 0.25))}, seconds=1)
cache.flush()
"""
    read = """
import sys, pathlib
from graphflow.cache import DiskTier
image = DiskTier(pathlib.Path(sys.argv[1]), 10**9).get("key")["image"]
print(type(image).__name__, image.pixels.shape == (1, 3, 8, 8), image.pixels.mean().item())
"""
    finish(python(write, tmp_path))
    assert finish(python(read, tmp_path)) == "Image True 0.25\n"
