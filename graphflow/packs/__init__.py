"""Packs of nodes: finding them, loading them, and what `graphflow packs` does with them.

A pack is a folder with `pack.toml`, or an installed package with an entry point in the group `graphflow.packs`. The built-in nodes are a pack like
any other.
"""

from graphflow.packs.discover import ENTRY_POINT_GROUP, PackSource, discover
from graphflow.packs.registry import PackInfo, Registry, build_registry

__all__ = ["ENTRY_POINT_GROUP", "PackInfo", "PackSource", "Registry", "build_registry", "discover"]
