"""What the voters of a recogniser say about labelled faces, of which its figures and reports are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ferembed.data.dataset import DataError, FaceDataset
from ferembed.data.readers.ferplus import ferplus_labels
from ferembed.evaluation import Retrieved, retrieve
from ferembed.labels import place_of
from ferembed.probability import most_probable
from ferembed.progress import progress
from ferembed.recognizer import VOTE, Recognizer
from ferembed.recognizer.encoding import codes_among, seen_by

if TYPE_CHECKING:
    from ferembed.recognizer.encoding import Views

_AT_ONCE = 512


@dataclass(frozen=True, eq=False)
class Answers:
    """What the voters of a recogniser say about labelled faces.

    Attributes
    ----------
    faces : FaceDataset
    classes : tuple of str
        The recogniser's; the order of the columns.
    codes : ndarray of int64, shape (n,)
        Column of each face's true class.
    embeddings : ndarray of float32, shape (n, d)
    probabilities : dict of str to ndarray of float64, shape (n, c)
        Of each voter: ``"softmax"``, ``"knn"`` and ``"vote"``.
    fresh : ndarray of bool, shape (n,)
        Whether a face has no copy in the gallery, identical or known to show the same photo.
    gallery : ndarray of float32, shape (g, d)
        The gallery's embeddings, and with them
    gallery_labels : ndarray of str, shape (g,)
        the names of its faces' classes.
    views : str
        The looks at each face whose embeddings were averaged.
    """

    faces: FaceDataset
    classes: tuple[str, ...]
    codes: NDArray[np.int64]
    embeddings: NDArray[np.float32]
    probabilities: dict[str, NDArray[np.float64]]
    fresh: NDArray[np.bool_]
    gallery: NDArray[np.float32]
    gallery_labels: NDArray[np.str_]
    views: str = "single"

    def predicted(self, voter: str = VOTE) -> NDArray[np.int64]:
        """Column of the most probable class of each face, shape (n,)."""
        return most_probable(self.probabilities[voter])

    def retrieved(self, rows: NDArray[np.bool_]) -> Retrieved:
        """How the embeddings of some of the faces, a mask of shape (n,), find their class in the gallery."""
        known, places = np.unique(self.gallery_labels, return_inverse=True)
        found = [place_of(str(name), self.classes) for name in known]
        own = [name if place is None else self.classes[place] for name, place in zip(known, found, strict=True)]
        names = np.array(self.classes)[self.codes[rows]]
        return retrieve(self.embeddings[rows], names, self.gallery, np.array(own)[places])


def answer(recognizer: Recognizer, faces: FaceDataset, *, views: Views = "single") -> Answers:
    """Ask every voter about labelled faces; what :func:`ferembed.evaluate` and the report are made of."""
    if not len(faces):
        raise DataError(f"{faces.source or 'the data set'} holds no faces to judge.")
    if recognizer.learnt_votes and faces.votes is not None:
        faces = ferplus_labels(faces)
    classes = tuple(recognizer.classes_.tolist())
    codes = codes_among(classes, faces)
    faces = seen_by(recognizer.engine, faces)
    embeddings = _encoded(recognizer, faces, views)
    return Answers(
        faces=faces,
        classes=classes,
        codes=codes,
        embeddings=embeddings,
        probabilities={name: np.asarray(voter.predict_proba(embeddings)) for name, voter in recognizer.voters.items()},
        fresh=~recognizer.copies_in_gallery(faces),
        gallery=recognizer.gallery_embeddings,
        gallery_labels=recognizer.gallery_labels,
        views=views,
    )


def _encoded(recognizer: Recognizer, faces: FaceDataset, views: Views) -> NDArray[np.float32]:
    parts = []
    with progress("looking at faces", len(faces)) as show:
        for start in range(0, len(faces), _AT_ONCE):
            parts.append(recognizer.encode(faces.images[start : start + _AT_ONCE], views))
            show(start + len(parts[-1]))
    return np.concatenate(parts)
