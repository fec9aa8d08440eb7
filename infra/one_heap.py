"""One heap for all threads of a process, where the C library is glibc."""

from __future__ import annotations

import ctypes

# <malloc.h>
M_ARENA_MAX = -8


def share_one_heap() -> None:
    """Have threads that begin later allocate where the first one does; elsewhere than on glibc, nothing happens.

    glibc gives threads up to eight heaps a core, and each keeps the room that the largest picture took in it.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # no such function; no such library; Windows
        return
    mallopt(M_ARENA_MAX, 1)
