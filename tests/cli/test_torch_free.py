"""Commands that compute nothing start without torch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_CALL = """
import sys
from graphflow.cli import main
for arguments in {commands!r}:
    code = main(arguments)
    assert code == 0, (arguments, code)
    heavy = {{"torch", "diffusers", "transformers"}} & set(sys.modules)
    assert not heavy, (arguments, heavy)
"""


def test_looking_never_imports_torch(graphflow: Callable[..., Any], sum_file: Path) -> None:
    commands = [
        ["check", "sum.json"],
        ["plan", "sum.json"],
        ["nodes"],
        ["nodes", "core.ksampler"],
        ["packs", "list"],
        ["models", "list"],
        ["cache"],
        ["migrate", "sum.json"],
        ["run", "sum.json"],
        ["cache", "--explain", "add"],
    ]
    graphflow("nodes")  # packs are described, which may import torch, once for each version of them
    done = subprocess.run([sys.executable, "-c", _CALL.format(commands=commands)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
