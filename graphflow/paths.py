"""Where the things that come with graphflow lie: in a checkout, an editable install and a wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Bundled = Literal["nodes", "workflows", "web"]

_PACKAGE = Path(__file__).resolve().parent
_ROOT = _PACKAGE.parent
_IN_CHECKOUT: dict[Bundled, Path] = {
    "nodes": _ROOT / "nodes",
    "workflows": _ROOT / "workflows",
    "web": _ROOT / "frontend" / "dist",
}


def is_checkout() -> bool:
    """Whether this graphflow runs from its source tree: a clone, or an editable install of one."""
    return (_ROOT / "pyproject.toml").is_file() and (_ROOT / "nodes" / "pack.toml").is_file()


def bundled(name: Bundled) -> Path:
    """Folder of the built-in nodes, the example workflows or the built editor. The editor's may be absent."""
    return _IN_CHECKOUT[name] if is_checkout() else _PACKAGE / "_bundled" / name
