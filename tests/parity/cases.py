"""Case folders: where they are, what they hold, and comparing with what they expect.

A case is a folder with a `case.md`, named SYSTEM/CASE by its place under the parity folder.
"""

from __future__ import annotations

import csv
import json
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_FOLDER = ROOT.parent / "shared" / "parity"


def parity_folder() -> Path:
    """`$GRAPHFLOW_PARITY`, or `shared/parity` beside the repository."""
    given = os.environ.get("GRAPHFLOW_PARITY", "")
    return Path(given).expanduser() if given else DEFAULT_FOLDER


def is_default(folder: Path) -> bool:
    return folder.resolve() == DEFAULT_FOLDER.resolve()


@dataclass(frozen=True)
class Case:
    """One case folder."""

    path: Path
    system: str
    name: str

    @property
    def id(self) -> str:
        return f"{self.system}/{self.name}"

    @cached_property
    def config(self) -> dict[str, Any]:
        return dict(json.loads((self.path / "config.json").read_text()))

    @cached_property
    def inputs(self) -> dict[str, Tensor]:
        return load_file(self.path / "inputs.safetensors")

    @cached_property
    def expected(self) -> dict[str, Tensor]:
        return load_file(self.path / "expected.safetensors")

    def table(self, name: str) -> list[dict[str, str]]:
        """Rows of a CSV file by column name."""
        with (self.path / name).open(newline="") as file:
            return list(csv.DictReader(file))


def find_cases(folder: Path) -> list[Case]:
    """Every folder below that has a `case.md`, in order of name."""
    found = sorted(path.parent for path in folder.rglob("case.md"))
    return [Case(path, path.parent.name, path.name) for path in found]


@dataclass
class Comparison:
    """Compares results with what a case expects, by name, and counts them.

    Two tensors agree when max|a - b| <= tolerance x max(1, RMS(expected)); integers and exact comparisons when they are equal.
    """

    case: Case
    tolerance: float
    compared: set[str] = field(default_factory=set)
    exact: int = 0
    """Tensors and names outside `expected` that were compared bit by bit."""
    wrong: list[str] = field(default_factory=list)

    def expects(self, name: str) -> bool:
        return name in self.case.expected

    def tensor(self, name: str, actual: Tensor) -> None:
        """Compare one result; a name that the case does not expect is an error, as is one given twice."""
        if name not in self.case.expected:
            self.wrong.append(f"{name}: computed, but not expected by the case")
            return
        if name in self.compared:
            self.wrong.append(f"{name}: computed twice")
        self.compared.add(name)
        expected = self.case.expected[name]
        if tuple(actual.shape) != tuple(expected.shape):
            self.wrong.append(f"{name}: shape {list(actual.shape)} instead of {list(expected.shape)}")
        elif not expected.is_floating_point():
            if not torch.equal(actual.to(expected.dtype), expected):
                self.wrong.append(f"{name}: differs, and integers must be equal")
        else:
            self._close(name, actual.detach().cpu().double(), expected.double())

    def elementwise(self, name: str, actual: Tensor, *, rtol: float, atol: float = 0.0) -> None:
        """Compare one result by each of its values: |a - b| <= atol + rtol x |expected|; integers must be equal."""
        expected = self.case.expected.get(name)
        if expected is not None and actual.shape == expected.shape and expected.is_floating_point():
            a, b = actual.detach().cpu().double(), expected.double()
            excess = (a - b).abs() - atol - rtol * b.abs()
            if not bool((excess <= 0).all()):
                worst = int(excess.nan_to_num(float("inf")).argmax())
                self.wrong.append(f"{name}: is {float(a.flatten()[worst])!r}, not {float(b.flatten()[worst])!r}")
            self.compared.add(name)
        else:
            self.tensor(name, actual)

    def tensor_if_expected(self, name: str, actual: Tensor) -> None:
        """Compare a result that cases hold for some runs only."""
        if self.expects(name):
            self.tensor(name, actual)

    def equal(self, name: str, actual: Any, expected: Any) -> None:
        """Compare bit by bit, outside `expected`."""
        self.exact += 1
        same = torch.equal(actual, expected) if isinstance(actual, Tensor) else actual == expected
        if not same:
            self.wrong.append(f"{name}: differs, and must be equal to the bit")

    def finish(self) -> None:
        """Fail with every difference, and with every expected tensor that nothing was compared with."""
        missed = sorted(self.case.expected.keys() - self.compared)
        findings = self.wrong + [f"{name}: expected by the case, but not computed" for name in missed]
        assert not findings, f"{self.case.id}: {len(findings)} findings:\n" + "\n".join(findings)

    def _close(self, name: str, actual: Tensor, expected: Tensor) -> None:
        limit = self.tolerance * max(1.0, float(expected.square().mean().sqrt()) if expected.numel() else 1.0)
        difference = (actual - expected).abs()
        if not bool(torch.isfinite(actual).all() == torch.isfinite(expected).all()):
            self.wrong.append(f"{name}: not finite")
        elif expected.numel() and not float(difference.max()) <= limit:
            self.wrong.append(f"{name}: differs by {float(difference.max()):.3g}, {limit:.3g} is accepted")
