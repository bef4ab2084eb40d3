"""Networks from described model files: one loader per family.

A loader is a function `build(part, config) -> Module` that makes the network without memory for its weights; filling it
from the file is the same for all families.
"""

from __future__ import annotations

from graphflow.models.loaders.network import build_network, load_part

__all__ = ["build_network", "load_part"]
