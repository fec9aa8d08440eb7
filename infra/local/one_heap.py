"""One heap for all threads of a process, where the C library is glibc."""

from __future__ import annotations

import ctypes

# <malloc.h>
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
# From this size on, an allocation goes back to the system when it is freed: a picture above some 600 x 600 px, and what
# is made of it. Left alone, glibc raises the bound up to 32 MB, and the heap grows around what is small and stays.
LARGE_BYTES = 1024 * 1024


def share_one_heap() -> None:
    """Have threads that begin later allocate where the first one does, and what is large outside of it.

    glibc gives threads up to eight heaps a core, and each keeps the room that the largest picture took in it. Elsewhere
    than on glibc, nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # no such function; no such library; Windows
        return
    mallopt(M_ARENA_MAX, 1)
    mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
