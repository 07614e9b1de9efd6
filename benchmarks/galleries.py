"""Galleries of vectors for :mod:`search`: drawn ones of several shapes, and a trained recogniser's."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Labels = NDArray[np.int64]

DIM = 128
SEED = 0
CHUNK = 50_000


def unit(rows: Vectors) -> Vectors:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def trained(n: int, rng: np.random.Generator) -> tuple[Vectors, Labels]:
    """Like a network trained on seven classes: 98% of the squared length along eight directions, the rest anywhere."""
    fixed = np.random.default_rng(SEED)
    directions = np.linalg.qr(fixed.normal(size=(DIM, 8)))[0].T
    centres = np.linalg.qr(fixed.normal(size=(8, 8)))[0][:7]
    labels = rng.integers(0, 7, n)
    along = (centres[labels] + 0.25 * rng.normal(size=(n, 8))) @ directions
    across = np.sqrt(0.02 / DIM) * rng.normal(size=(n, DIM)) * np.linalg.norm(along, axis=1, keepdims=True)
    return unit((along + across).astype(np.float32)), labels


def diffuse(n: int, rng: np.random.Generator) -> tuple[Vectors, Labels]:
    """The hardest case: seven centres under noise of the same strength in all 128 directions."""
    centres = np.random.default_rng(SEED).normal(size=(7, DIM)) / 2
    labels = rng.integers(0, 7, n)
    return unit((centres[labels] + rng.normal(size=(n, DIM))).astype(np.float32)), labels


def clustered(n: int, rng: np.random.Generator) -> Iterator[Vectors]:
    """Chunks of vectors around a thousand centres, noise of half their length's strength in every direction."""
    centres = np.random.default_rng(SEED).standard_normal((1000, DIM), dtype=np.float32)
    for start in range(0, n, CHUNK):
        m = min(CHUNK, n - start)
        yield unit(
            centres[rng.integers(0, 1000, m)] + np.float32(0.5) * rng.standard_normal((m, DIM), dtype=np.float32)
        )


def drawn(draw: Callable[..., tuple[Vectors, Labels]], n: int, q: int) -> tuple[str, Vectors, Labels, Vectors]:
    """A name, a labelled gallery and queries."""
    rng = np.random.default_rng(SEED)
    gallery, labels = draw(n, rng)
    return draw.__name__, gallery, labels, draw(q, rng)[0]


def embedded(run: str, faces: str) -> tuple[str, Vectors, Labels, Vectors]:
    """The same from a recogniser trained on FER2013."""
    from ferembed import load, load_fer2013

    recognizer = load(run)
    queries = recognizer.encode(load_fer2013(faces, split="validation").images)
    labels = np.unique(recognizer.gallery_labels, return_inverse=True)[1]
    return f"embeddings of {run}", recognizer.gallery_embeddings, labels, queries
