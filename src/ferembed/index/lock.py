"""A lock that many searches share and one change holds alone."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any


class ReadWriteLock:
    """Many readers at once, or one writer; a waiting writer goes before new readers, so that none starves it.

    It is not reentrant. A forked child starts with the lock free: the threads that held it did not come along. So does
    a copy, pickled or not.
    """

    def __init__(self) -> None:
        self._reset()
        _LOCKS.add(self)

    def _reset(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._readers = 0
        self._writing = False
        self._writers_waiting = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()

    @contextmanager
    def read(self) -> Iterator[None]:
        """Hold the lock beside other readers."""
        self._begin_read()
        try:
            yield
        finally:
            self._end_read()

    @contextmanager
    def write(self) -> Iterator[None]:
        """Hold the lock alone."""
        self._begin_write()
        try:
            yield
        finally:
            self._end_write()

    def _begin_read(self) -> None:
        with self._changed:
            while self._writing or self._writers_waiting:
                self._changed.wait()
            self._readers += 1

    def _end_read(self) -> None:
        with self._changed:
            self._readers -= 1
            if not self._readers:
                self._changed.notify_all()

    def _begin_write(self) -> None:
        with self._changed:
            self._writers_waiting += 1
            try:
                while self._writing or self._readers:
                    self._changed.wait()
            finally:
                self._writers_waiting -= 1
                self._changed.notify_all()
            self._writing = True

    def _end_write(self) -> None:
        with self._changed:
            self._writing = False
            self._changed.notify_all()


_LOCKS: weakref.WeakSet[ReadWriteLock] = weakref.WeakSet()
_CALCULATIONS = ReadWriteLock()


def calculating() -> AbstractContextManager[None]:
    """Keep this process from forking for the length of a with-block, which must be short and hold no other.

    A fork amid a matrix product leaves the locks of the library that computes it (OpenBLAS, say) held for ever, by
    threads that the child has not: parent or child would wait in vain.
    """
    return _CALCULATIONS.read()


def _free_all() -> None:
    for lock in _LOCKS:
        lock._reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_CALCULATIONS._begin_write, after_in_parent=_CALCULATIONS._end_write, after_in_child=_free_all
    )
