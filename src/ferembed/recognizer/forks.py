"""What a forked child finds: the threads of its parent did not come along, nor did whoever held a lock."""

from __future__ import annotations

import os
import sys
import threading


class Turn:
    """A reentrant lock, for a with-block. It lives as long as the process; a forked child finds it free."""

    def __init__(self) -> None:
        self._free()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._free)

    def _free(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *exception: object) -> None:
        self._lock.release()


def _one_thread_of_torch() -> None:
    """A child that divided work among the threads which its parent's OpenMP remembers would wait for them for ever."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_one_thread_of_torch)
