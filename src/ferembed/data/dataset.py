"""The one container every reader returns: an immutable table of faces."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from operator import index
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferembed.data._checks import check_images, check_labels, check_votes
from ferembed.data._holding_out import rows_to_validate
from ferembed.data.changes import (
    CopiesFound,
    Findings,
    Relabelling,
    changed_labels,
    rows_without,
    rows_without_later_copies,
)
from ferembed.data.errors import DataError
from ferembed.data.image_files import ImageFiles
from ferembed.data.images import is_blank, pixel_hash
from ferembed.data.known import photo_groups

__all__ = ["SPLITS", "DataError", "FaceDataset"]

Array = TypeVar("Array", bound=NDArray[Any])

SPLITS: tuple[str, ...] = ("train", "validation", "test")
"""The split names of the house. Training trains, validation selects, test is touched once."""


@dataclass(frozen=True, eq=False)
class FaceDataset:
    """Faces with their labels, splits and, where known, the votes of several annotators.

    Arrays are read-only; every change makes a new data set. Rows keep their ``ids`` through any selection.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w) or (n, h, w, 3)
        Pixels, 0 to 255, grey or RGB; or :class:`~ferembed.data.image_files.ImageFiles`, which stay files.
    labels : array-like of int, shape (n,)
        Index into ``classes``.
    classes : sequence of str
        Class names; their order gives the meaning of ``labels``.
    splits : array-like of str, shape (n,), optional
        Split of each row; ``"train"`` where not given.
    votes : array-like of float, shape (n, v), optional
        A distribution over ``vote_classes`` for each row: rows sum to 1, or to 0 where annotators reached no usable
        opinion.
    vote_classes : sequence of str, optional
        Names of the columns of ``votes``.
    ids : array-like of int, shape (n,), optional
        Number of each row in its source, from 0; ``0..n-1`` where not given.
    paths : array-like of str, shape (n,), optional
        File of each image, where each has one.
    source : str
        The file or folder the rows came from.

    Raises
    ------
    DataError
        If shapes, types or ranges disagree.

    Examples
    --------
    >>> faces = FaceDataset(np.zeros((2, 48, 48), np.uint8), [0, 1], ("happy", "sad"), splits=["train", "test"])
    >>> len(faces), faces.split("test").labels.tolist(), faces.blank.sum().item()
    (2, [1], 2)
    """

    images: NDArray[np.uint8] | ImageFiles
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    splits: NDArray[np.str_] = None  # type: ignore[assignment]
    votes: NDArray[np.float32] | None = None
    vote_classes: tuple[str, ...] = ()
    ids: NDArray[np.int64] = None  # type: ignore[assignment]
    paths: NDArray[np.str_] | None = None
    source: str = ""

    def __post_init__(self) -> None:
        n, store = len(self.images), object.__setattr__
        store(self, "classes", tuple(self.classes))
        store(self, "vote_classes", tuple(self.vote_classes))
        if not isinstance(self.images, ImageFiles):
            store(self, "images", _frozen(np.asarray(self.images)))
        store(self, "labels", _frozen(np.asarray(self.labels, dtype=np.int64)))
        store(self, "splits", _frozen(np.asarray(["train"] * n if self.splits is None else self.splits, dtype=np.str_)))
        store(self, "ids", _frozen(np.arange(n) if self.ids is None else np.asarray(self.ids, dtype=np.int64)))
        if self.votes is not None:
            store(self, "votes", _frozen(np.asarray(self.votes, dtype=np.float32)))
        if self.paths is not None:
            store(self, "paths", _frozen(np.asarray(self.paths, dtype=np.str_)))
        self._check()

    def _check(self) -> None:
        check_images(self.images)
        for name in ("labels", "splits", "ids", "paths"):
            column = getattr(self, name)
            if column is not None and column.shape != (len(self),):
                raise DataError(
                    f"{name} must have one entry for each of the {len(self)} images, not shape {column.shape}."
                )
        check_labels(self.labels, self.classes)
        if self.votes is not None:
            check_votes(self.votes, len(self), self.vote_classes)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> tuple[NDArray[np.uint8], int]:
        """A copy of one row's image, and its label: PyTorch's ``DataLoader`` takes the data set as it is."""
        return np.array(self.images[index(row)]), int(self.labels[row])

    def __repr__(self) -> str:
        parts = ", ".join(f"{name} {np.sum(self.splits == name)}" for name in self.split_names)
        in_files = isinstance(self.images, ImageFiles)  # to count their blank ones all would have to be decoded
        blank = ", in files" if in_files else f", {self.blank.sum()} blank" if self.blank.any() else ""
        votes = f", votes over {len(self.vote_classes)}" if self.votes is not None else ""
        shape = " x ".join(map(str, self.images.shape[1:]))
        return f"FaceDataset({len(self)} images of {shape}, {len(self.classes)} classes; {parts}{blank}{votes})"

    @property
    def split_names(self) -> tuple[str, ...]:
        """The splits that have rows: the house's names first, in their order."""
        present = set(np.unique(self.splits).tolist())
        return tuple(s for s in SPLITS if s in present) + tuple(sorted(present - set(SPLITS)))

    @cached_property
    def blank(self) -> NDArray[np.bool_]:
        """Whether each image is all but one flat colour and so shows no face; shape (n,).

        In no channel do its pixels span more than :data:`~ferembed.data.images.BLANK_SPAN` of the 255 steps.
        """
        return _frozen(self.images.blank if isinstance(self.images, ImageFiles) else is_blank(self.images))

    @cached_property
    def pixel_hashes(self) -> NDArray[np.str_]:
        """SHA-1 of each image's bytes in hexadecimal; equal hashes mean identical images. Shape (n,)."""
        if isinstance(self.images, ImageFiles):
            return _frozen(self.images.hashes)
        return _frozen(np.array([pixel_hash(image) for image in self.images], dtype="<U40"))

    @property
    def hashes(self) -> NDArray[np.uint8]:
        """The pixel hashes as bytes; shape (n, 20)."""
        return np.frombuffer(bytes.fromhex("".join(self.pixel_hashes.tolist())), np.uint8).reshape(-1, 20)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over class names, pixels and labels, in order: which data a run has learnt."""
        return self._digest(self.labels.tobytes())

    @property
    def table_fingerprint(self) -> str:
        """SHA-256 over ids and splits, too: which data an audit speaks of."""
        splits = "\n".join(self.splits.tolist()).encode()
        return self._digest(self.labels.tobytes() + self.ids.tobytes() + splits)

    def _digest(self, columns: bytes) -> str:
        names = "\n".join([*self.classes, *self.pixel_hashes.tolist()])
        return hashlib.sha256(names.encode(errors="surrogateescape") + columns).hexdigest()

    def subset(self, rows: ArrayLike) -> FaceDataset:
        """The rows picked by an integer or boolean array, in that order."""
        chosen = np.asarray(rows)
        if chosen.dtype == bool:
            chosen = np.flatnonzero(chosen)
        chosen = chosen.astype(np.int64)
        return replace(
            self,
            images=self.images.subset(chosen) if isinstance(self.images, ImageFiles) else self.images[chosen],
            labels=self.labels[chosen],
            splits=self.splits[chosen],
            votes=None if self.votes is None else self.votes[chosen],
            ids=self.ids[chosen],
            paths=None if self.paths is None else self.paths[chosen],
        )

    def split(self, name: str) -> FaceDataset:
        """The rows of one split.

        Raises
        ------
        DataError
            If no row belongs to it; the sentence lists the splits there are.
        """
        rows = np.flatnonzero(self.splits == name)
        if not rows.size:
            have = ", ".join(f"{s} ({np.sum(self.splits == s)} rows)" for s in self.split_names)
            holding_out = "; with_validation(0.1), or --validation 0.1, holds some of train out"
            hint = holding_out if name == "validation" else ""
            source = self.source or "this data set"
            raise DataError(f"{source} has no split {name!r}; it has {have or 'no rows'}{hint}.")
        return self.subset(rows)

    def without_blank(self) -> FaceDataset:
        """All rows but the blank ones."""
        return self.subset(~self.blank)

    def without(self, unwanted: ArrayLike | Findings) -> FaceDataset:
        """All faces but some.

        Parameters
        ----------
        unwanted : array-like of int or bool, or a list of an audit
            Rows to leave out. Of a list, such as ``report.copies`` or ``report.outliers``, the faces are found by their
            ids: of copies, one of each group stays, one of the test split where there is one, else of validation.

        Raises
        ------
        DataError
            If a row lies outside the data set.
        """
        return self.subset(rows_without(self.ids, unwanted))

    def clean_split(self, copies: CopiesFound | None = None) -> FaceDataset:
        """The faces without those that have a copy in a later split.

        Training faces with a copy in validation or test go, and validation faces with a copy in test; test stays whole.
        Copies within one split stay: :meth:`without` takes these out.

        Parameters
        ----------
        copies : Copies, optional
            ``report.copies`` of an audit. Without it, copies are identical images and, of FER2013's Training and
            PublicTest, what the lists that ship with the package know.
        """
        if copies is not None:
            return self.subset(~np.isin(self.ids, copies.leaking))
        order = (*SPLITS, *(name for name in self.split_names if name not in SPLITS))
        rank = np.array([order.index(name) for name in self.splits.tolist()], np.int64)
        return self.subset(rows_without_later_copies(photo_groups(self.hashes), rank))

    def with_validation(self, share: float, *, seed: int = 0, copies: CopiesFound | None = None) -> FaceDataset:
        """The same faces, a share of ``train`` held out as ``validation``, for data that come without that split.

        Each class gives its share. Faces of one photo stay together, and so do those of one person where the names of
        the files tell (CK+, JAFFE, KDEF, RaFD; see :func:`~ferembed.data._holding_out.person_of`).

        Parameters
        ----------
        share : float
            Between 0 and 1; 0.1 is usual.
        seed : int
            The same draws the same faces.
        copies : Copies, optional
            ``report.copies`` of an audit, to know near copies by. Without it, copies are identical images and those of
            FER2013 that the lists that ship with the package know.

        Raises
        ------
        DataError
            If there is a validation split, no ``train``, or too little of it.
        """
        if "validation" in self.split_names:
            raise DataError(f"{self.source or 'this data set'} has a validation split: nothing need be held out.")
        train = self.split("train")
        held_out = rows_to_validate(train.ids, train.labels, train.hashes, train.paths, share, seed, copies)
        splits = self.splits.astype("<U10")
        splits[np.flatnonzero(self.splits == "train")[held_out]] = "validation"
        return replace(self, splits=splits)

    def fix_labels(self, labels: Relabelling | Mapping[int, str]) -> FaceDataset:
        """The same faces with some labels changed; votes stay as they are.

        Parameters
        ----------
        labels : mapping of int to str, or LabelIssues
            New class name by id; or the doubted labels of an audit, such as ``report.labels.top(100)``.

        Raises
        ------
        DataError
            If an id or a class is unknown.
        """
        return replace(self, labels=changed_labels(self.ids, self.labels, self.classes, labels))

    def class_counts(self) -> dict[str, int]:
        """Number of rows of each class, in the order of ``classes``."""
        counts = np.bincount(self.labels, minlength=len(self.classes))
        return dict(zip(self.classes, counts.tolist(), strict=True))

    def with_labels(self, labels: ArrayLike, classes: Sequence[str]) -> FaceDataset:
        """The same faces under other labels."""
        return replace(self, labels=np.asarray(labels, dtype=np.int64), classes=tuple(classes))


def _frozen(array: Array) -> Array:
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array
