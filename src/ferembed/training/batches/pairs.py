"""Siamese pairs, and the hard negatives among them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ferembed.training.batches.samplers import Batches, Rows, check_filled

if TYPE_CHECKING:
    from torch import Tensor


class PairBatches(Batches):
    """Siamese pairs: rows 0 and 1, 2 and 3, ... of a batch are to be compared.

    The first of a pair is any image, each at most once an epoch. The second is another image of its class for the
    chosen share of pairs, and an image of another class for the rest; where hard negatives are known
    (``set_hard_negatives``) some of those are taken from them. An image that is alone in its class is only ever paired
    with other classes.

    Parameters
    ----------
    labels : array-like of int, shape (n,)
        Class of each row; at least two classes.
    batch_size : int
        Images of a batch on each rank, an even number: twice the number of pairs.
    positive_share : float
        Share of pairs of one class, 0 to 1.
    hard_share : float
        Share of the negative pairs that take a hard negative, 0 to 1, once such are known.
    seed : int
        With the epoch it decides the pairs.
    rank, world_size : int
        This process, and how many there are.

    Raises
    ------
    ValueError
        If the batch size is odd, a share is out of range, there is one class only, or the rows fill no batch.

    Examples
    --------
    >>> labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    >>> rows = next(iter(PairBatches(labels, 8, seed=0)))
    >>> first, second = labels[rows[0::2]], labels[rows[1::2]]
    >>> (first == second).sum().item()
    2
    """

    def __init__(
        self,
        labels: ArrayLike,
        batch_size: int,
        *,
        positive_share: float = 0.5,
        hard_share: float = 0.5,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        super().__init__(labels, seed=seed, rank=rank, world_size=world_size)
        if batch_size % 2:
            raise ValueError(
                f"batch_size must be even, two images a pair, not {batch_size}; {batch_size + 1} would do."
            )
        for name, share in (("positive_share", positive_share), ("hard_share", hard_share)):
            if not 0 <= share <= 1:
                raise ValueError(f"{name} must lie between 0 and 1, not {share}.")
        if len(np.unique(self.labels)) < 2:
            raise ValueError("Siamese pairs need images of at least two classes; these labels hold one.")
        check_filled(len(self.labels), batch_size, world_size, drop_last=True)
        self.batch_size, self.positive_share, self.hard_share = batch_size, positive_share, hard_share
        self._hard: Rows | None = None

    def __len__(self) -> int:
        return len(self.labels) // (self.batch_size * self.world_size)

    def set_hard_negatives(self, candidates: ArrayLike | None) -> None:
        """Rows of other classes that lie near each row, (n, h), as of the next epoch; None forgets them.

        ``hardest_negatives`` finds them from embeddings. They are part of the state.
        """
        hard = None if candidates is None else np.asarray(candidates, dtype=np.int64)
        if hard is not None:
            if hard.ndim != 2 or len(hard) != len(self.labels) or not hard.shape[1]:
                raise ValueError(f"Hard negatives must have shape ({len(self.labels)}, h), not {hard.shape}.")
            if (self.labels[hard] == self.labels[:, None]).any():
                raise ValueError("A hard negative must be of another class than its row.")
        self._hard = hard

    def state_dict(self) -> dict[str, Any]:
        """The epoch and the number of its batches handed out, plain numbers, and the hard negatives, an array."""
        return {**super().state_dict(), "hard_negatives": self._hard}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where ``state`` was taken, with its hard negatives."""
        super().load_state_dict(state)
        self.set_hard_negatives(state["hard_negatives"])

    def _all_ranks(self, rng: np.random.Generator) -> Iterator[Rows]:
        pairs = self.batch_size // 2 * self.world_size
        first = rng.permutation(len(self.labels))[: pairs * len(self)]
        like, unlike = self._partners(first, rng)
        # Batch i holds as many positives as bring the total up to the wanted share, rounded down.
        wanted = np.floor(self.positive_share * pairs * np.arange(len(self) + 1) + 1e-9).astype(np.int64)
        for i in range(len(self)):
            chosen = slice(i * pairs, (i + 1) * pairs)
            positive = rng.permutation(pairs) < wanted[i + 1] - wanted[i]
            second = np.where(positive & (like[chosen] != first[chosen]), like[chosen], unlike[chosen])
            yield np.stack([first[chosen], second], axis=1).reshape(-1)

    def _partners(self, first: Rows, rng: np.random.Generator) -> tuple[Rows, Rows]:
        """For each row another of its class (itself if it is alone), and one of another class."""
        by_class = np.argsort(self.labels, kind="stable")
        classes, starts, counts = np.unique(self.labels[by_class], return_index=True, return_counts=True)
        place = np.empty(len(by_class), dtype=np.int64)
        place[by_class] = np.arange(len(by_class))
        block = np.searchsorted(classes, self.labels[first])
        start, count = starts[block], counts[block]
        # Sorted by class, the own class is one block: step around within it, or around the ring of all that is left.
        step = 1 + rng.integers(0, np.maximum(count - 1, 1))
        like = by_class[start + (place[first] - start + step) % count]
        unlike = by_class[(start + count + rng.integers(0, len(by_class) - count)) % len(by_class)]
        if self._hard is not None:
            hard = self._hard[first, rng.integers(0, self._hard.shape[1], len(first))]
            unlike = np.where(rng.random(len(first)) < self.hard_share, hard, unlike)
        return like, unlike


def hardest_negatives(embeddings: ArrayLike | Tensor, labels: ArrayLike, count: int = 10, *, block: int = 512) -> Rows:
    """The nearest rows of other classes for each row, nearest first.

    Parameters
    ----------
    embeddings : array-like or Tensor of float, shape (n, d)
        Unit vectors; a tensor is compared on the device where it lies.
    labels : array-like of int, shape (n,)
        Class of each row.
    count : int
        How many to find, h. The very nearest are often wrongly labelled: a sampler draws one of several.
    block : int
        Rows compared with all others at a time; bounds the memory to ``4 * block * n`` bytes.

    Returns
    -------
    ndarray of int64, shape (n, h)

    Raises
    ------
    ValueError
        If some row has fewer than ``count`` rows of other classes.

    Examples
    --------
    >>> hardest_negatives([[1, 0], [0, 1], [0.6, 0.8]], [0, 1, 1], count=1).tolist()
    [[2], [0], [0]]
    """
    import torch

    classes = np.asarray(labels)
    fewest = len(classes) - np.unique(classes, return_counts=True)[1].max()
    if not 1 <= count <= fewest:
        raise ValueError(f"count must lie in 1..{fewest}, the rows outside the largest class, not {count}.")
    points = torch.as_tensor(embeddings, dtype=torch.float32)
    groups = torch.tensor(classes, device=points.device)
    found = np.empty((len(points), count), dtype=np.int64)
    for begin in range(0, len(points), block):
        mine = slice(begin, begin + block)
        similarity = points[mine] @ points.T
        similarity.masked_fill_(groups[mine, None] == groups, -torch.inf)
        found[mine] = similarity.topk(count, dim=1).indices.cpu().numpy()
    return found
