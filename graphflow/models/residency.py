"""Networks in the device's memory: loaded on demand, patched while in use, dropped when their room is needed."""

from __future__ import annotations

import gc
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from graphflow.errors import OutOfMemory
from graphflow.models.devices import memory_of
from graphflow.models.patches import PatchFiles, PatchRegistry, Undo
from graphflow.models.placement import Placement, Resident, megabytes
from graphflow.ports.model import Patch


@dataclass(frozen=True)
class Wanted:
    """A network that somebody asks for."""

    key: str
    title: str
    """For people: file and part."""
    bytes: int
    single_pass: bool
    load: Callable[[], nn.Module]


class Held:
    """A network in memory and its present state."""

    def __init__(self, wanted: Wanted, module: nn.Module) -> None:
        self.key = wanted.key
        self.title = wanted.title
        self.bytes = wanted.bytes
        self.single_pass = wanted.single_pass
        self.module = module
        self.last_use = 0
        self.users = 0
        self.patches: tuple[Patch, ...] = ()
        self.undo: Undo = _nothing


def _nothing() -> None:
    """Undo of no patch."""


class Residency:
    """All networks of one device. One thread at a time uses them; within that thread, uses may nest."""

    def __init__(self, device: torch.device, placement: Placement, patches: PatchRegistry) -> None:
        self.device = device
        self.placement = placement
        self._patches = patches
        self._held: dict[str, Held] = {}
        self._lock = threading.RLock()
        self._uses = itertools.count(1)

    @contextmanager
    def use(self, wanted: Wanted, patches: tuple[Patch, ...], files: PatchFiles) -> Iterator[nn.Module]:
        """The network, loaded and with exactly these patches, for the block. Raises OutOfMemory or what loading raises.

        A block inside another may ask for other patches on the same network; the outer ones return afterwards.
        """
        with self._lock:
            held = self._resident(wanted)
            held.users += 1
            try:
                with self._patched(held, patches, files):
                    yield held.module
            except Exception as error:
                if isinstance(error, OutOfMemory) or not is_out_of_memory(error):
                    raise
                self._free(key for key, other in list(self._held.items()) if not other.users)
                raise self._exhausted(held.title, held.bytes, "while it was used") from error
            finally:
                held.users -= 1

    def residents(self) -> list[Resident]:
        """What is in memory now."""
        return [
            Resident(held.key, held.bytes, held.single_pass, held.last_use, in_use=held.users > 0)
            for held in list(self._held.values())
        ]

    def free_unused(self) -> None:
        """Drop all networks that nobody uses; waits until a use in another thread is over."""
        with self._lock:
            self._free([key for key, held in self._held.items() if not held.users])

    def _resident(self, wanted: Wanted) -> Held:
        held = self._held.get(wanted.key)
        if held is None:
            leaving = self.placement.leaving(self.residents(), needed=wanted.bytes, wanted_by=wanted.title)
            self._free(leaving)
            held = self._held[wanted.key] = Held(wanted, self._loaded(wanted))
        held.last_use = next(self._uses)
        return held

    def _loaded(self, wanted: Wanted) -> nn.Module:
        """The network from its file; when memory ends, everything unused is dropped and it is tried once more."""
        try:
            return _load(wanted)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        self._free([key for key, held in self._held.items() if not held.users])
        try:
            return _load(wanted)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            raise self._exhausted(wanted.title, wanted.bytes, "even after everything else was freed") from error

    @contextmanager
    def _patched(self, held: Held, patches: tuple[Patch, ...], files: PatchFiles) -> Iterator[None]:
        before = held.patches
        if before == patches:
            yield
            return
        self._repatch(held, patches, files)
        try:
            yield
        finally:
            self._repatch(held, before, files)

    def _repatch(self, held: Held, patches: Sequence[Patch], files: PatchFiles) -> None:
        held.undo()
        held.undo, held.patches = _nothing, ()
        if patches:
            held.undo = self._patches.apply(held.module, patches, files)
            held.patches = tuple(patches)

    def _free(self, keys: Sequence[str] | Iterator[str]) -> None:
        dropped = [self._held.pop(key) for key in list(keys)]
        if not dropped:
            return
        dropped.clear()
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        elif self.device.type == "mps":
            torch.mps.empty_cache()

    def _exhausted(self, title: str, needed: int, when: str) -> OutOfMemory:
        memory = memory_of(self.device)
        return OutOfMemory(
            f"the memory of {self.device} ran out {when}: {title} has {megabytes(needed)} of weights, "
            f"{megabytes(memory.free)} of {megabytes(memory.total)} are free. "
            "Make the picture or batch smaller, let an autoencoder work in tiles (tile: 512), "
            "choose a smaller precision (GRAPHFLOW_PRECISION=bf16), "
            "set a budget below what is free (GRAPHFLOW_VRAM), or use another device (--device cpu)."
        )


def _load(wanted: Wanted) -> nn.Module:
    with torch.inference_mode(False), torch.no_grad():
        return wanted.load()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out; torch has no type of its own for that on a CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    signs = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")
    return isinstance(error, RuntimeError | OSError) and any(sign in text for sign in signs)
