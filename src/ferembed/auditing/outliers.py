"""Pictures that show no photographed face, or one unlike all others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferembed.auditing.copies.find import Copies
from ferembed.auditing.copies.views import canvas, signatures
from ferembed.data.dataset import DataError, FaceDataset
from ferembed.index import make_index
from ferembed.progress import progress

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

KINDS: tuple[str, ...] = ("blank", "placeholder", "drawing", "unusual")
"""What a picture may be flagged as; the first that holds."""

PLACEHOLDER_BITS = 4.0
"""Entropy of the grey levels, in bits of 8, below which a picture is a sign or a text."""

PLAIN_BITS, PLAIN_SHARE = 4.5, 0.5
"""So is one below the first if at more than the second of its pixels there is no step above 2.5 grey levels."""

DRAWING_BITS, DRAWING_EDGES = 6.25, 0.18
"""A drawing has a lower entropy than the first, and at more than the second of its pixels a step of 60 grey levels."""

UNUSUAL = 0.005
"""Share of the pictures, those farthest from their neighbours, that are called unusual."""

_NEIGHBOURS = 10
_STEP, _NO_STEP = 60, 2.5
_AT_ONCE = 1024


@dataclass(frozen=True, eq=False)
class Outliers:
    """Flagged pictures, kind by kind; within a kind the clearest first.

    Attributes
    ----------
    ids : ndarray of int64, shape (m,)
    kinds : ndarray of str, shape (m,)
        One of :data:`KINDS`.
    scores : ndarray of float64, shape (m,)
        Of unusual pictures the mean cosine distance to their ten nearest, 0 to 2; of all others the entropy of the grey
        levels in bits, 0 to 8.
    """

    ids: Ids
    kinds: NDArray[np.str_]
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def unwanted(self) -> Ids:
        """What :meth:`~ferembed.data.FaceDataset.without` takes out: all of them."""
        return self.ids

    def of(self, *kinds: str) -> Outliers:
        """Those of some kinds.

        Raises
        ------
        DataError
            If there is no such kind.
        """
        unknown = set(kinds) - set(KINDS)
        if unknown:
            raise DataError(f"kinds of outliers are {', '.join(KINDS)}, not {min(unknown)!r}.")
        rows = np.isin(self.kinds, kinds)
        return Outliers(self.ids[rows], self.kinds[rows], self.scores[rows])

    def counts(self) -> dict[str, int]:
        """Number of each kind."""
        return {kind: int(np.sum(self.kinds == kind)) for kind in KINDS}


def find_outliers(faces: FaceDataset, *, copies: Copies | None = None) -> Outliers:
    """Flag blank pictures, placeholders, drawings and unusual faces.

    Signs and texts that stand in for a photo, and drawings, use few grey levels; a near copy of a placeholder is one,
    too. Unusual are the :data:`UNUSUAL` of all that lie farthest from their ten nearest neighbours (Ramaswamy et al.,
    "Efficient Algorithms for Mining Outliers from Large Data Sets", 2000) by the signatures that copies are looked for
    with: they see what lies in the picture, where an encoder of expressions learns to look past it. Every flag is a
    reason to look, not a verdict.

    Parameters
    ----------
    faces : FaceDataset
    copies : Copies, optional

    Examples
    --------
    >>> from ferembed.data import drawn_faces
    >>> faces = drawn_faces(70)
    >>> blank = FaceDataset(np.concatenate([faces.images, faces.images[:1] * 0]), [*faces.labels, 0], faces.classes)
    >>> find_outliers(blank).of("blank").ids.tolist()
    [70]
    """
    bits, edges, plain, vectors = _measured(faces)
    blank = faces.blank
    placeholder = ((bits < PLACEHOLDER_BITS) | ((bits < PLAIN_BITS) & (plain > PLAIN_SHARE))) & ~blank
    if copies is not None:
        kin = np.isin(copies.groups, copies.groups[np.isin(copies.ids, faces.ids[placeholder])])
        placeholder |= np.isin(faces.ids, copies.ids[kin]) & ~blank
    drawing = (bits < DRAWING_BITS) & (edges > DRAWING_EDGES) & ~blank & ~placeholder
    rest = np.flatnonzero(~(blank | placeholder | drawing) & vectors.any(axis=1))
    distance = np.zeros(len(faces))
    distance[rest] = _distances(vectors[rest])
    unusual = np.zeros(len(faces), bool)
    unusual[rest[np.argsort(-distance[rest], kind="stable")[: int(UNUSUAL * len(faces))]]] = True
    found = []
    for flags, score in ((blank, 0 * bits), (placeholder, bits), (drawing, bits), (unusual, -distance)):
        rows = np.flatnonzero(flags)
        found.append(rows[np.argsort(score[rows], kind="stable")])
    rows = np.concatenate(found)
    kinds = np.repeat(KINDS, [len(part) for part in found])
    return Outliers(faces.ids[rows], kinds, np.where(kinds == "unusual", distance[rows], bits[rows]))


def _measured(faces: FaceDataset) -> tuple[Floats, Floats, Floats, NDArray[np.float32]]:
    """Entropy of the grey levels, share of pixels at a strong edge and at none, and signature of each picture."""
    bits, edges, plain = np.zeros((3, len(faces)))
    vectors = []
    with progress("Looking at each picture", len(faces)) as report:
        for start in range(0, len(faces), _AT_ONCE):
            pictures = canvas(faces.images[start : start + _AT_ONCE])
            block = slice(start, start + len(pictures))
            bits[block] = [_entropy(picture) for picture in pictures]
            step = np.hypot(np.diff(pictures, axis=1)[:, :, 1:], np.diff(pictures, axis=2)[:, 1:, :])
            edges[block], plain[block] = (step > _STEP).mean(axis=(1, 2)), (step < _NO_STEP).mean(axis=(1, 2))
            vectors.append(signatures(pictures))
            report(block.stop)
    return bits, edges, plain, np.concatenate(vectors) if vectors else np.zeros((0, 1), np.float32)


def _entropy(picture: NDArray[np.float32]) -> float:
    shares = np.bincount(picture.astype(np.uint8).ravel()) / picture.size
    return abs(float(np.sum(shares[shares > 0] * np.log2(shares[shares > 0]))))


def _distances(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean cosine distance of each vector to its nearest others."""
    if len(vectors) < 2:
        return np.zeros(len(vectors))
    index = make_index("auto", vectors.shape[1], expected_size=len(vectors))
    index.add(vectors)
    k, distance = min(_NEIGHBOURS + 1, len(vectors)), np.zeros(len(vectors))
    with progress("Looking for odd pictures", len(vectors)) as report:
        for start in range(0, len(vectors), _AT_ONCE):
            found = index.search(vectors[start : start + _AT_ONCE], k=k)
            distance[start : start + _AT_ONCE] = 1 - found.similarities[:, 1:].mean(axis=1)
            report(min(start + _AT_ONCE, len(vectors)))
    return distance
