"""The faces of a photo, each with what a recogniser says of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ferembed.probability import most_probable
from ferembed.recognizer.memory import Neighbors

if TYPE_CHECKING:
    from ferembed.faces import FoundFace
    from ferembed.recognizer.state import State

UNKNOWN = "unknown"
"""The label of a face whose expression the recogniser is not sure enough of."""


class Face(NamedTuple):
    """One face of a photo, found and named."""

    box: tuple[int, int, int, int]
    """Left, upper, right and lower edge of the square around the face in pixels, clipped to the photo."""
    score: float
    """How sure the detector is that it is a face, in its own unit."""
    crop: NDArray[np.uint8]
    """What the encoder was shown: RGB pixels, shape (s, s, 3)."""
    label: str
    """The most probable class, or :data:`UNKNOWN`."""
    probabilities: NDArray[np.float64]
    """Calibrated probability of each class by the vote, in the order of the recogniser's ``classes_``; shape (c,)."""
    nearest: Neighbors
    """The gallery faces nearest to it, best first: similarities, labels and row numbers, each of shape (k,)."""


def named_faces(
    state: State,
    found: Sequence[FoundFace],
    embeddings: NDArray[np.float32],
    *,
    max_error: float | None,
    neighbors: int,
) -> list[Face]:
    """What the voters say of the faces of one photo.

    Parameters
    ----------
    state : State
    found : sequence of FoundFace, of length n
    embeddings : ndarray of float32, shape (n, d)
    max_error : float, optional
        As for :meth:`ferembed.Recognizer.recognize`.
    neighbors : int
    """
    if not found:
        return []
    proba = np.asarray(state.voters.vote.predict_proba(embeddings))
    labels = np.array(state.classes, dtype=object)[most_probable(proba)]
    if max_error is not None:
        labels[proba.max(axis=1) <= state.threshold(max_error)] = UNKNOWN
    near = state.nearest(embeddings, neighbors)
    return [
        Face(face.box, face.score, face.crop, str(label), shares, Neighbors(*(column[row] for column in near)))
        for row, (face, label, shares) in enumerate(zip(found, labels, proba, strict=True))
    ]
