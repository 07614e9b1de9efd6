"""Upper bounds on inner products from a few principal directions: most rows are ruled out by 8 or 16 of their numbers.

For unit vectors split by an orthonormal basis into x = (h, t), Cauchy and Schwarz bound the inner product of q and x
by <h_q, h_x> + |t_q| |t_x|.
Embeddings trained for a few classes lie close to a few directions, where the bound is tight; a row whose bound is
below the k-th best similarity found so far needs no further look. What is returned is exact.
"""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from ferembed.index._faiss import faiss
from ferembed.index.growing import GrowingArray

_WIDTH = 8  # numbers a row in one block: FAISS has a kernel for rows of 8
_GROUPS = 32  # rows are seen as so many interleaved runs, whose maxima make a first guess of the threshold cheap
_SLACK = 1e-6  # added to squared tails, and to bounds against rounding in float32
_BLOCK_COST = 2.0  # every block after the first: to read it, and to add it up (measured; the first costs 1)
_SCAN_COST = 26.0  # time to read all 128 numbers of a row among all rows, in units of one row of one block (measured)
_JUMP_COST = 100.0  # the same for a row picked out (measured)
_SAMPLE = 4096
_PROBES = 16
_PROBED_K = 30
_MARGIN = 1.5  # the first guess takes in so many times the rows that a probe had to look at


class _Scratch(threading.local):
    """Each thread's own two arrays to work in: to get fresh memory from the system would cost more than to fill it."""

    def __init__(self) -> None:
        self._buffer = np.empty((2, 0), np.float32)

    def arrays(self, length: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if self._buffer.shape[1] < length:
            self._buffer = np.empty((2, length), np.float32)
        return self._buffer[0, :length], self._buffer[1, :length]


_SCRATCH = _Scratch()


class Screen:
    """Bounds for the rows of one matrix.

    Parameters
    ----------
    basis : ndarray of float32, shape (d, 8 * blocks - 1)
        Orthonormal columns.
    rows_a_neighbour : float
        How many rows to look at for each neighbour that is asked for, as a first guess.
    """

    def __init__(self, basis: NDArray[np.float32], rows_a_neighbour: float = 0.0) -> None:
        self._basis = np.ascontiguousarray(basis)
        self._rows_a_neighbour = rows_a_neighbour
        self._blocks = [GrowingArray((_WIDTH,), np.float32) for _ in range((basis.shape[1] + 1) // _WIDTH)]

    @classmethod
    def fit(cls, vectors: NDArray[np.float32]) -> Screen | None:
        """The screen that is expected to be fastest for these unit vectors (n, d); None where none would help."""
        n, dim = vectors.shape
        sample = vectors[:: max(1, n // _SAMPLE)]
        directions = np.linalg.eigh(sample.T @ sample)[1][:, ::-1]
        probes = sample[:: max(1, len(sample) // _PROBES)]
        k = max(2, _PROBED_K * len(sample) // n)
        best, least = None, 0.7 * _SCAN_COST * dim / 128
        # The blocks take 8 numbers a row each: at most an eighth of the vectors' memory.
        for blocks in range(1, min(4, dim // (8 * _WIDTH)) + 1):
            trial = cls(directions[:, : blocks * _WIDTH - 1])
            trial.add(sample)
            share = trial._share_looked_at(probes, sample, k)
            cost = 1 + _BLOCK_COST * (blocks - 1) + _JUMP_COST * dim / 128 * share
            if cost < least:
                best, least = cls(trial._basis, _MARGIN * share * len(sample) / k), cost
        if best is not None:
            best.add(vectors)
        return best

    def add(self, vectors: NDArray[np.float32]) -> None:
        """Append rows."""
        heads = self._heads(vectors)
        for i, block in enumerate(self._blocks):
            block.append(heads[:, i * _WIDTH : (i + 1) * _WIDTH])

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Drop the rows where ``kept`` is False."""
        for block in self._blocks:
            block.keep(kept)

    def search(
        self, query: NDArray[np.float32], k: int, matrix: NDArray[np.float32], allowed: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]] | None:
        """The ``k`` best similarities and rows for one unit query (d,); None where ``k`` is too large a part."""
        bounds = self._bounds(query)
        if allowed is not None:
            bounds[~allowed] = -np.inf
        runs = len(bounds) // _GROUPS
        if 2 * k + 64 > runs // 2:
            return None
        first = min(max(2 * k + 64, int(self._rows_a_neighbour * k)), runs // 2)
        maxima = bounds[: runs * _GROUPS].reshape(_GROUPS, runs).max(axis=0)
        guess = np.partition(maxima, runs - first)[runs - first]
        if guess == -np.inf:
            return None
        rows = (bounds >= guess).nonzero()[0]
        similarities = _products(query, matrix, rows)
        threshold = np.partition(similarities, len(rows) - k)[len(rows) - k] - 4 * _SLACK
        if threshold < guess:
            rows = (bounds >= threshold).nonzero()[0]
            similarities = _products(query, matrix, rows)
        near = (similarities >= threshold).nonzero()[0]
        order = near[(-similarities[near]).argsort(kind="stable")[:k]]
        return similarities[order], rows[order]

    def _heads(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Coordinates along the basis and a bound on the length of the rest, (n, 8 * blocks)."""
        heads = vectors @ self._basis
        tails = np.sqrt(np.maximum(1.0 - np.einsum("ij,ij->i", heads, heads), 0.0) + _SLACK)
        return np.concatenate([heads, tails[:, None]], axis=1)

    def _bounds(self, query: NDArray[np.float32]) -> NDArray[np.float32]:
        """An upper bound on each row's similarity, (n,); it holds until this thread asks again."""
        head = np.empty(self._basis.shape[1] + 1, np.float32)
        np.matmul(query, self._basis, out=head[:-1])
        head[-1] = (max(1.0 - float(np.dot(head[:-1], head[:-1])), 0.0) + _SLACK) ** 0.5
        count = len(self._blocks[0])
        total, part = _SCRATCH.arrays(count)
        for i, block in enumerate(self._blocks):
            pointers = map(faiss.swig_ptr, (part if i else total, head[i * _WIDTH : (i + 1) * _WIDTH], block.rows))
            faiss.fvec_inner_products_ny(*pointers, _WIDTH, count)
            if i:
                np.add(total, part, out=total)
        return total

    def _share_looked_at(self, probes: NDArray[np.float32], rows: NDArray[np.float32], k: int) -> float:
        thresholds = np.partition(probes @ rows.T, len(rows) - k, axis=1)[:, len(rows) - k]
        return float(np.mean([(self._bounds(q) >= t).mean() for q, t in zip(probes, thresholds, strict=True)]))


def _products(query: NDArray[np.float32], matrix: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    # NumPy would copy the rows and may start BLAS threads for so little; this FAISS function does neither.
    products = np.empty(len(rows), np.float32)
    pointers = map(faiss.swig_ptr, (products, query, matrix, rows))
    faiss.fvec_inner_products_by_idx(*pointers, matrix.shape[1], 1, len(rows))
    return products
