"""Makes all threads of a process share one heap, where the C library is glibc."""

from __future__ import annotations

import ctypes

# <malloc.h>
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
# Allocations from this size on return to the system when freed. Pictures above about 600 x 600 px, and the arrays made
# from them, are that large. By default glibc raises the bound up to 32 MB; small allocations then keep the heap large.
LARGE_BYTES = 1024 * 1024


def share_one_heap() -> None:
    """Make later threads allocate in the first thread's heap, and large blocks outside it.

    glibc gives threads up to eight heaps per core, and each heap keeps the memory that its largest picture took.
    Without glibc this does nothing.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # no such function; no such library; Windows
        return
    mallopt(M_ARENA_MAX, 1)
    mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
