from __future__ import annotations

import subprocess
import sys

MODULES = ("colour", "comparison", "filters", "rotation")


def test_nodes_in_several_threads_may_be_the_first_to_need_a_library() -> None:
    """kornia imports its parts: a thread that began with one of these parts would be seen half made by another."""
    code = f"""
import threading
from importlib import import_module

problems = []
start = threading.Barrier({len(MODULES)})

def load(name):
    start.wait()
    try:
        import_module("graphflow.diffusion." + name)
    except Exception as error:
        problems.append(f"{{name}}: {{error!r}}")

threads = [threading.Thread(target=load, args=(name,)) for name in {MODULES!r}]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not problems, problems
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
