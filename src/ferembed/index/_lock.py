"""A lock that many searches share and one change holds alone."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager


class ReadWriteLock:
    """Many readers at once, or one writer; a waiting writer goes before new readers, so that none starves it.

    It is not reentrant. A forked child starts with the lock free: the threads that held it did not come along.
    """

    def __init__(self) -> None:
        self._reset()
        _LOCKS.add(self)

    def _reset(self) -> None:
        self._changed = threading.Condition()
        self._readers = 0
        self._writing = False
        self._writers_waiting = 0

    @contextmanager
    def read(self) -> Iterator[None]:
        """Hold the lock beside other readers."""
        with self._changed:
            while self._writing or self._writers_waiting:
                self._changed.wait()
            self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                if not self._readers:
                    self._changed.notify_all()

    @contextmanager
    def write(self) -> Iterator[None]:
        """Hold the lock alone."""
        with self._changed:
            self._writers_waiting += 1
            try:
                while self._writing or self._readers:
                    self._changed.wait()
            finally:
                self._writers_waiting -= 1
            self._writing = True
        try:
            yield
        finally:
            with self._changed:
                self._writing = False
                self._changed.notify_all()


_LOCKS: weakref.WeakSet[ReadWriteLock] = weakref.WeakSet()


def _free_all() -> None:
    for lock in _LOCKS:
        lock._reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_free_all)
