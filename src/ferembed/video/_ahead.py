"""Work done ahead by a second thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Ahead(Generic[Item]):
    """What an iterable gives, fetched by a thread of its own before it is asked for; ends with the ``with`` block.

    Parameters
    ----------
    items : iterable
        Gone through in the other thread alone; what it raises is raised where its items are asked for.
    most : int
        Items that wait at most.
    latest : bool
        Whether the oldest makes room where too many wait, so that who takes them never lags behind. Otherwise the
        thread waits.
    """

    def __init__(self, items: Iterable[Item], most: int, *, latest: bool = False) -> None:
        self._items, self._most, self._latest = items, most, latest
        self._waiting: deque[Item] = deque()
        self._changed = threading.Condition()
        self._ended = self._unwanted = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._fetch, daemon=True)

    def __enter__(self) -> Iterator[Item]:
        self._thread.start()
        return self._given()

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._unwanted = True
            self._changed.notify_all()
        self._thread.join()

    def _given(self) -> Iterator[Item]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended)
                if not self._waiting:
                    break
                item = self._waiting.popleft()
                self._changed.notify_all()
            yield item
        if self._error is not None:
            raise self._error

    def _fetch(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    break
        except BaseException as error:
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _put(self, item: Item) -> bool:
        """Whether more are wanted."""
        with self._changed:
            if self._latest and len(self._waiting) == self._most:
                self._waiting.popleft()
            self._changed.wait_for(lambda: self._unwanted or len(self._waiting) < self._most)
            self._waiting.append(item)
            self._changed.notify_all()
            return not self._unwanted
