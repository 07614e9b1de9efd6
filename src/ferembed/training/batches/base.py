"""What all batch samplers share: seeded epochs, ranks, and a place to go on from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import islice
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Rows: TypeAlias = NDArray[np.int64]


class Batches(ABC):
    """An endless supply of epochs of batches; iterating gives the row numbers of one epoch's batches.

    After a whole epoch the next one begins by itself. Breaking off and iterating anew starts the same epoch again,
    unless ``load_state_dict`` has set another place to go on from.
    """

    def __init__(self, labels: ArrayLike, *, seed: int, rank: int, world_size: int) -> None:
        self.labels = np.asarray(labels, dtype=np.int64)
        if self.labels.ndim != 1 or not self.labels.size:
            raise ValueError(f"labels must be a row of at least one integer, not of shape {self.labels.shape}.")
        if not 0 <= rank < world_size:
            raise ValueError(f"rank must lie in 0..{world_size - 1}, the ranks of {world_size} processes, not {rank}.")
        self.seed, self.rank, self.world_size = seed, rank, world_size
        self.epoch = 0
        self._position = 0
        self._start = 0

    @abstractmethod
    def __len__(self) -> int:
        """Number of batches of a whole epoch on each rank."""

    @abstractmethod
    def _all_ranks(self, rng: np.random.Generator) -> Iterator[Rows]:
        """One epoch's batches of all ranks: each the ranks' batches, of equal length, one after the other."""

    def __iter__(self) -> Iterator[Rows]:
        rng = np.random.default_rng([self.seed, self.epoch])
        self._position, self._start = self._start, 0
        for rows in islice(self._all_ranks(rng), self._position, None):
            self._position += 1
            yield rows.reshape(self.world_size, -1)[self.rank]
        self.epoch += 1
        self._position = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration gives; a restored place within the same epoch is kept."""
        if epoch != self.epoch:
            self.epoch, self._start, self._position = epoch, 0, 0

    def state_dict(self) -> dict[str, Any]:
        """The epoch and the number of its batches handed out, as plain numbers."""
        return {"epoch": self.epoch, "position": self._position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where ``state`` was taken: the next iteration starts with the next batch of that epoch."""
        self.epoch = int(state["epoch"])
        self._position = self._start = int(state["position"])
        if self._start >= len(self):
            self.set_epoch(self.epoch + 1)


def check_filled(rows: int, batch_size: int, world_size: int, drop_last: bool) -> None:
    least = batch_size * world_size if drop_last else 1
    if batch_size < 1 or rows < least:
        ranks = f" on each of {world_size} ranks" if world_size > 1 else ""
        raise ValueError(
            f"A batch of {batch_size}{ranks} cannot be filled from {rows} rows; "
            f"batch_size must lie in 1..{max(rows // world_size, 1)}."
        )
