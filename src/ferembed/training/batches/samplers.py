"""Which rows make up each batch: all rows once, or so many of each class.

Every sampler is a function of its seed, the epoch and the rank: no global random state, the same batches in every run.
The ranks of a distributed run share the batches of one common order, so no two of them see the same part of it.
"""

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


class NaturalBatches(Batches):
    """All rows once an epoch, in random order.

    Parameters
    ----------
    labels : array-like of int, shape (n,)
        Class of each row.
    batch_size : int
        Rows of a batch on each rank.
    seed : int
        With the epoch it decides the order.
    rank, world_size : int
        This process, and how many there are.
    drop_last : bool
        Leave out the rest that fills no whole batch on every rank. If False it makes a smaller last batch, filled up
        with a few rows of the epoch's start so that every rank has equally many.

    Raises
    ------
    ValueError
        If the rows do not fill one batch.

    Examples
    --------
    >>> batches = NaturalBatches([0, 1, 0, 1, 1], 2, seed=0, drop_last=False)
    >>> [len(rows) for rows in batches], sorted(np.concatenate(list(batches)).tolist())
    ([2, 2, 1], [0, 1, 2, 3, 4])
    """

    def __init__(
        self,
        labels: ArrayLike,
        batch_size: int,
        *,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        drop_last: bool = True,
    ) -> None:
        super().__init__(labels, seed=seed, rank=rank, world_size=world_size)
        self.batch_size, self.drop_last = batch_size, drop_last
        check_filled(len(self.labels), batch_size, world_size, drop_last)

    def __len__(self) -> int:
        together = self.batch_size * self.world_size
        return len(self.labels) // together if self.drop_last else -(-len(self.labels) // together)

    def _all_ranks(self, rng: np.random.Generator) -> Iterator[Rows]:
        order = rng.permutation(len(self.labels))
        together = self.batch_size * self.world_size
        missing = -len(order) % self.world_size
        if not self.drop_last:
            order = np.concatenate([order, np.resize(order, missing)])
        for i in range(len(self)):
            yield order[i * together : (i + 1) * together]


class ClassBalancedBatches(Batches):
    """P groups of K images each, all images of a group from one class.

    Class ``c`` with ``n_c`` images gets a group in proportion to ``n_c ** (1 - exponent)``: the expected share of each
    class is exact, since its number of groups in a batch is that share of P, rounded up or down at random. With
    ``exponent=1`` the P classes of a batch differ from each other. Every image of a class is used before any is used
    again, and no batch holds an image twice unless the class is smaller than what the batch asks of it.

    Parameters
    ----------
    labels : array-like of int, shape (n,)
        Class of each row.
    classes_per_batch : int
        P, from 2 to the number of classes.
    images_per_class : int
        K, at least 2, or there are no positive pairs.
    exponent : float
        0 draws the classes as often as they occur, 1 draws all equally often.
    seed : int
        With the epoch it decides the batches.
    rank, world_size : int
        This process, and how many there are; each has P x K rows a batch.

    Raises
    ------
    ValueError
        If the labels cannot give P x K; the sentence says which P and K fit.

    Examples
    --------
    >>> labels = np.repeat([0, 1, 2], [90, 8, 2])
    >>> batches = ClassBalancedBatches(labels, 3, 4, seed=0)
    >>> rows = next(iter(batches))
    >>> np.bincount(labels[rows]).tolist(), len(batches)
    ([4, 4, 4], 8)
    """

    def __init__(
        self,
        labels: ArrayLike,
        classes_per_batch: int,
        images_per_class: int,
        *,
        exponent: float = 1.0,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        super().__init__(labels, seed=seed, rank=rank, world_size=world_size)
        self._classes, self._counts = np.unique(self.labels, return_counts=True)
        self.classes_per_batch, self.images_per_class = classes_per_batch, images_per_class
        _check_groups(classes_per_batch, images_per_class, self._counts, world_size)
        if not 0 <= exponent <= 1:
            raise ValueError(f"exponent must lie between 0 (natural) and 1 (uniform), not {exponent}.")
        self.exponent = exponent

    def __len__(self) -> int:
        return len(self.labels) // (self.classes_per_batch * self.images_per_class * self.world_size)

    def _all_ranks(self, rng: np.random.Generator) -> Iterator[Rows]:
        shares = self._counts ** (1 - self.exponent)
        shares = shares / shares.sum()
        decks = [_Deck(np.flatnonzero(self.labels == c), rng) for c in self._classes]
        for _ in range(len(self)):
            groups = np.concatenate([self._draw_groups(shares, rng) for _ in range(self.world_size)])
            rows = np.empty((len(groups), self.images_per_class), dtype=np.int64)
            for c in np.unique(groups):
                mine = groups == c
                rows[mine] = decks[c].draw(mine.sum() * self.images_per_class).reshape(-1, self.images_per_class)
            yield rows.reshape(-1)

    def _draw_groups(self, shares: NDArray[np.float64], rng: np.random.Generator) -> Rows:
        """The class of each of P groups, by systematic sampling: evenly spaced points on the line of all shares."""
        order = rng.permutation(len(shares))
        points = (rng.random() + np.arange(self.classes_per_batch)) / self.classes_per_batch
        ends = np.cumsum(shares[order])
        return order[np.minimum(np.searchsorted(ends, points, side="right"), len(order) - 1)]


class _Deck:
    """The rows of one class, dealt in random order and shuffled again when they run out."""

    def __init__(self, rows: Rows, rng: np.random.Generator) -> None:
        self._all, self._rng = rows, rng
        self._left = rng.permutation(rows)

    def draw(self, count: int) -> Rows:
        while len(self._left) < count:
            fresh = self._rng.permutation(self._all)
            # What is still to be dealt comes last in the new shuffle, so that one hand holds no card twice.
            waiting = np.isin(fresh, self._left)
            self._left = np.concatenate([self._left, fresh[~waiting], fresh[waiting]])
        hand, self._left = self._left[:count], self._left[count:]
        return hand


def _check_groups(p: int, k: int, counts: NDArray[np.int64], world_size: int) -> None:
    classes, rows = len(counts), int(counts.sum()) // world_size
    if 2 <= p <= classes and k >= 2 and p * k <= rows:
        return
    if classes < 2 or rows < 4:
        raise ValueError(f"P x K batches need two classes and four rows a rank; there are {classes} and {rows}.")
    good_p = min(max(p, 2), classes, rows // 2)
    good_k = min(max(k, 2), rows // good_p)
    raise ValueError(
        f"Batches of P={p} classes x K={k} images cannot be drawn from {rows} rows of {classes} classes: P must lie in "
        f"2..{classes}, K be at least 2, and P x K at most {rows}; P={good_p} and K={good_k} would fit."
    )
