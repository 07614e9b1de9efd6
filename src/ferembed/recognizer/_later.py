"""A recogniser among threads and processes: parts made when first needed, turns, and what a forked child finds."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from ferembed.models.engines import Engine
    from ferembed.recognizer.folder import Saved
    from ferembed.recognizer.state import State


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


Made = TypeVar("Made", bound="MadeLater")

_PARTS = ("_engine", "_state")
_MAKING = Turn()


class MadeLater:
    """What a :class:`Recognizer` is made of, made when it is first asked: importing it takes long."""

    info: dict[str, Any]
    _engine: Engine
    _state: State
    _saved: Saved | None

    @classmethod
    def later(cls: type[Made], make: Callable[[], tuple[Engine, State]], info: Mapping[str, Any]) -> Made:
        """One whose engine and state ``make`` gives when either is first needed, once, by the first thread."""
        recognizer = cls.__new__(cls)
        recognizer.info, recognizer._saved = dict(info), None
        vars(recognizer)["_make"] = make
        return recognizer

    def __getstate__(self) -> dict[str, Any]:
        """All of it made, for a copy or another process."""
        assert self._state is not None
        return {name: value for name, value in vars(self).items() if name != "_make"}

    if not TYPE_CHECKING:  # to a type checker, __getattr__ would mean that there is no wrong name

        def __getattr__(self, name: str) -> Any:
            if name not in _PARTS or "_make" not in vars(self):
                raise AttributeError(f"a {type(self).__name__} has no attribute {name!r}")
            with _MAKING:
                if "_state" not in vars(self):
                    self._engine, self._state = self._make()
            return vars(self)[name]


def _one_thread_of_torch() -> None:
    """A child that divided work among the threads which its parent's OpenMP remembers would wait for them for ever."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_one_thread_of_torch)
