"""What a recogniser remembers of faces besides their vectors: of those in its gallery, and of those held out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from ferembed.data.dataset import DataError, FaceDataset

if TYPE_CHECKING:
    from ferembed.recognizer.voters import HeldOut

VOTE = "vote"
"""The name of what all voters say together."""
NOBODY = -1
"""The label of a row whose face was forgotten; rows keep their numbers."""


class Neighbors(NamedTuple):
    """The gallery faces nearest to each query, best first; all of shape (n, k)."""

    similarities: NDArray[np.float32]
    """Cosines, -1 to 1."""
    labels: NDArray[np.str_]
    """Class names."""
    ids: NDArray[np.int64]
    """Row numbers in the training data's source; negative for enrolled faces."""


@dataclass(frozen=True)
class GalleryFaces:
    """One entry for each row of the k-NN classifier's gallery, in its order."""

    ids: NDArray[np.int64]
    """Row numbers in the training data's source; negative for enrolled faces."""
    labels: NDArray[np.int64]
    """Class numbers, or NOBODY."""
    hashes: NDArray[np.uint8]
    """SHA-1 of the pixels, shape (g, 20)."""
    enrolled: NDArray[np.bool_]
    """Whether the face came after training."""

    @classmethod
    def of(cls, faces: FaceDataset) -> GalleryFaces:
        """The gallery of a training set."""
        return cls(faces.ids, faces.labels, faces.hashes, np.zeros(len(faces), bool))

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which rows still stand for a face."""
        return np.asarray(self.labels != NOBODY)

    @property
    def enrolled_rows(self) -> NDArray[np.int64]:
        """Row numbers of the faces that came after training."""
        return np.flatnonzero(self.enrolled & self.present)

    def with_enrolled(self, faces: FaceDataset, code: int) -> GalleryFaces:
        """The gallery and new faces of one class, numbered downwards from -1."""
        least = min(0, int(self.ids.min(initial=0)))
        return GalleryFaces(
            np.concatenate([self.ids, least - 1 - np.arange(len(faces))]),
            np.concatenate([self.labels, np.full(len(faces), code)]),
            np.concatenate([self.hashes, faces.hashes]),
            np.concatenate([self.enrolled, np.ones(len(faces), bool)]),
        )

    def without(self, code: int) -> GalleryFaces:
        """The gallery with nothing left of one class; the classes after it move up."""
        gone = self.labels == code
        labels = np.where(gone, NOBODY, self.labels - (self.labels > code))
        return GalleryFaces(self.ids, labels, np.where(gone[:, None], 0, self.hashes).astype(np.uint8), self.enrolled)

    def save(self, path: Path) -> None:
        """Write the columns into one file."""
        save_file({name: np.ascontiguousarray(column) for name, column in asdict(self).items()}, path)

    @classmethod
    def load(cls, path: Path) -> GalleryFaces:
        """Read what :meth:`save` wrote, or what format 1 did, which knew no enrolled faces."""
        columns = load_file(path)
        columns.setdefault("enrolled", np.zeros(len(columns["ids"]), bool))
        return cls(**columns)


@dataclass(frozen=True)
class HeldOutFaces:
    """The validation faces that calibrated the voters."""

    embeddings: NDArray[np.float32]
    """Unit vectors, shape (n, d)."""
    labels: NDArray[np.int64]
    """Class numbers, shape (n,)."""
    hashes: NDArray[np.uint8]
    """SHA-1 of the pixels, shape (n, 20)."""

    @property
    def held_out(self) -> HeldOut:
        """As the voters take them."""
        from ferembed.recognizer.voters import HeldOut

        return HeldOut(self.embeddings, self.labels)

    def without(self, code: int) -> HeldOutFaces:
        """The faces of other classes; the classes after this one move up."""
        kept = self.labels != code
        labels = self.labels[kept]
        return HeldOutFaces(self.embeddings[kept], labels - (labels > code), self.hashes[kept])

    def save(self, path: Path) -> None:
        """Write the columns into one file."""
        save_file({name: np.ascontiguousarray(column) for name, column in asdict(self).items()}, path)

    @classmethod
    def load(cls, path: Path) -> HeldOutFaces:
        """Read what :meth:`save` wrote."""
        return cls(**load_file(path))


def check_splits(train: FaceDataset, validation: FaceDataset) -> None:
    """Raise DataError unless a recogniser can be built of two splits without blank images.

    Both name the same classes, two at least; each class has a training face, all together as many as the smallest vote
    of neighbours takes; and there are faces to calibrate on.
    """
    from ferembed.recognizer.voters import NEIGHBOURS

    if train.classes != validation.classes:
        raise DataError(f"train names the classes {train.classes}, validation {validation.classes}: they must agree.")
    if len(train.classes) < 2:
        raise DataError(f"a recogniser needs two classes; the data has {', '.join(train.classes) or 'none'} alone.")
    empty = [name for name, count in train.class_counts().items() if not count]
    if empty:
        raise DataError(
            f"no training image shows {', '.join(empty)}, blank ones apart: leave the class out or add images."
        )
    if len(train) < NEIGHBOURS[0]:
        raise DataError(f"{len(train)} training images are too few: {NEIGHBOURS[0]} neighbours vote, so add images.")
    if not len(validation):
        raise DataError(
            "the validation split has no image, or blank ones only: it selects and calibrates, so add some."
        )


def among(hashes: NDArray[np.uint8], known: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether each hash is among the known ones."""
    names = {bytes(row) for row in known}
    return np.array([bytes(row) in names for row in hashes], dtype=bool)
