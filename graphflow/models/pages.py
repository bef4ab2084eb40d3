"""Pages of memory-mapped files."""

from __future__ import annotations

import ctypes
import mmap
import sys

from torch import Tensor


def drop_pages(mapped: Tensor) -> None:
    """Take the whole pages of a tensor that lies in a memory-mapped file out of this process; reading it again fetches them from the file.

    Only advice to the system, and only on Linux: elsewhere the system takes them when memory gets scarce. Never for other memory than a
    file's, which would be lost.
    """
    if not sys.platform.startswith("linux") or mapped.device.type != "cpu":
        return
    begin = -(-mapped.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
    end = (mapped.data_ptr() + mapped.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE
    if end > begin:
        libc = ctypes.CDLL(None)
        libc.madvise(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), ctypes.c_int(mmap.MADV_DONTNEED))
