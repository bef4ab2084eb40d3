"""Regional compilation: only the blocks that a network repeats, which compile once and run everywhere."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import Any

from torch import nn

from graphflow.models.patches import PATCHES, PatchFiles, Undo
from graphflow.ports.speed import CompilePatch

_log = logging.getLogger(__name__)


@PATCHES.applier(CompilePatch)
def apply_compilation(module: nn.Module, patch: CompilePatch, files: PatchFiles) -> Undo:
    """Compile the repeated blocks, or say in the log why this is left out; a network that is not compiled computes the same, slower."""
    reason = why_not(module)
    if reason:
        _log.info("%s is not compiled: %s", type(module).__name__, reason)
        return _nothing
    return compile_blocks(module)


def why_not(module: nn.Module) -> str | None:
    """Why compiling is of no use for a network where it is now; None if it is."""
    device = next(module.parameters()).device.type
    if not _repeated(module):
        return "diffusers names no blocks of it that repeat"
    if device != "cuda":
        return f"it is on: {device}, where this gains nothing; it does on NVIDIA GPUs"
    if find_spec("triton") is None:
        return 'the compiler "triton" is not installed; it comes with the CUDA builds of torch on Linux'
    return None


def compile_blocks(module: Any, **options: Any) -> Undo:  # options are those of torch.compile
    """Compile the repeated blocks of a network of diffusers on their next call; undone, they run as they are written."""
    blocks = _repeated(module)
    module.compile_repeated_blocks(**options)

    def undo() -> None:
        for block in blocks:
            block._compiled_call_impl = None

    return undo


def _repeated(module: nn.Module) -> list[nn.Module]:
    names = getattr(module, "_repeated_blocks", None) or ()
    return [block for block in module.modules() if type(block).__name__ in names]


def _nothing() -> None:
    """Undo of nothing."""
