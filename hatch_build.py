"""What a wheel holds beside the package: the built-in nodes, the example workflows and the built editor.

They go to `graphflow/_bundled/`, as `nodes` is too general a name to install at top level. `graphflow.paths` finds them there. An editable install
reads them from the checkout, so nothing is copied for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_BUNDLED = {"nodes": "nodes", "workflows": "workflows", "frontend/dist": "web"}
"""Folders of the checkout, and their names under `graphflow/_bundled/`."""


class BundledFolders(BuildHookInterface[Any]):
    """Adds the folders to standard wheels. The editor is in once it has been built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before each build; `version` is `standard` or `editable`."""
        if self.target_name != "wheel" or version != "standard":
            return
        for folder, name in _BUNDLED.items():
            path = Path(self.root, folder)
            if path.is_dir():
                build_data["force_include"][str(path)] = f"graphflow/_bundled/{name}"
