"""Import names of packs that are folders: the pack `glow` is `graphflow.packs.user.glow`, wherever its folder lies.

The names do not depend on the folder, so cached values that name a pack's classes are readable after the folder has moved.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from threading import Lock
from types import ModuleType


class _MountedPacks:
    """Finds `graphflow.packs.user.<pack>` for the packs that were mounted; Python's own finder does the modules inside."""

    def __init__(self) -> None:
        self._folders: dict[str, Path] = {}
        self._lock = Lock()

    def mount(self, pack: str, folder: Path) -> str:
        name = f"{__name__}.{pack}"
        with self._lock:
            if self._folders.get(name, folder) != folder:
                self._forget(name)
            self._folders[name] = folder
        return name

    @staticmethod
    def _forget(name: str) -> None:
        for module in [known for known in sys.modules if known == name or known.startswith(f"{name}.")]:
            del sys.modules[module]

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        folder = self._folders.get(fullname)
        if folder is None:
            return None
        first = folder / "__init__.py"
        if first.is_file():
            return spec_from_file_location(fullname, first, submodule_search_locations=[str(folder)])
        spec = ModuleSpec(fullname, None, is_package=True)
        spec.submodule_search_locations = [str(folder)]
        return spec


_mounted = _MountedPacks()
sys.meta_path.append(_mounted)


def mount(pack: str, folder: Path) -> str:
    """Give a pack's folder its import name, and return that name. Imports nothing.

    Another folder under the same name takes its place: modules of the first are forgotten.
    """
    return _mounted.mount(pack, folder.resolve())
