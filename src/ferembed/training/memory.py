"""Memory that one training step frees, kept for the next."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Numbers of glibc's ``mallopt``, from its malloc.h."""


def keep_freed_memory() -> None:
    """Let the C library keep what this process frees, up to 2 GB, instead of giving it back to the system.

    A step on the processor frees its activations, and the next one asks for as much: the system hands it out again page
    by page, each filled with zeros, which took a quarter of the time of a step of the recipe ``small`` on one machine
    (docs/experiments.md). The setting holds for the rest of the process, so it is for programs that do nothing else,
    such as ``ferembed train``. Where the C library is another than glibc, nothing happens.

    See ``mallopt(3)``; ``MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=2147483647`` in the environment does the same.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(_MMAP_MAX, 0)
    mallopt(_TRIM_THRESHOLD, 2**31 - 1)
