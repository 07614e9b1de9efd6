"""New data sets from what an audit found in an old one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferembed.labels import place_of

from .errors import DataError
from .known import photo_groups

if TYPE_CHECKING:
    from .dataset import FaceDataset

Ids = NDArray[np.int64]


class Findings(Protocol):
    """A list of an audit that can be taken out of a data set."""

    @property
    def unwanted(self) -> Ids:
        """Ids of the faces to take out."""
        ...


class CopiesFound(Protocol):
    """The copies that an audit found."""

    @property
    def ids(self) -> Ids:
        """Faces that have one."""
        ...

    @property
    def groups(self) -> Ids:
        """The photo that each shows."""
        ...

    @property
    def leaking(self) -> Ids:
        """Ids of the faces with a copy in a later split."""
        ...


class Relabelling(Protocol):
    """Labels that an audit suggests."""

    @property
    def ids(self) -> Ids:
        """Faces."""
        ...

    @property
    def suggested(self) -> NDArray[np.str_]:
        """The class name of each."""
        ...


def without(faces: FaceDataset, unwanted: ArrayLike | Findings) -> FaceDataset:
    """All faces but some; see :meth:`FaceDataset.without`."""
    if hasattr(unwanted, "unwanted"):
        return faces.subset(~np.isin(faces.ids, unwanted.unwanted))
    rows = np.asarray(unwanted)
    if rows.dtype != bool and rows.size and not (rows.min() >= -len(faces) and rows.max() < len(faces)):
        raise DataError(f"rows must lie in 0..{len(faces) - 1}, not {rows.min()}..{rows.max()}.")
    kept = np.ones(len(faces), bool)
    kept[rows if rows.dtype == bool else rows.astype(np.int64)] = False
    return faces.subset(kept)


def clean_split(faces: FaceDataset, copies: CopiesFound | None, rank: Ids) -> FaceDataset:
    """The faces without copies in a later split; ``rank`` is the place of each face's split."""
    if copies is not None:
        return faces.subset(~np.isin(faces.ids, copies.leaking))
    groups = np.unique(photo_groups(faces), return_inverse=True)[1]
    latest = np.zeros(groups.max(initial=-1) + 1, np.int64)
    np.maximum.at(latest, groups, rank)
    return faces.subset(rank == latest[groups])


def fix_labels(faces: FaceDataset, labels: Relabelling | Mapping[int, str]) -> FaceDataset:
    """The faces with some labels changed; see :meth:`FaceDataset.fix_labels`."""
    pairs = labels.items() if isinstance(labels, Mapping) else zip(labels.ids, labels.suggested, strict=True)
    new = {int(number): str(name) for number, name in pairs}
    places: dict[str, int] = {}
    for name in new.values():
        if (place := place_of(name, faces.classes)) is None:
            raise DataError(f"{name!r} is not among the classes {', '.join(faces.classes)}.")
        places[name] = place
    row_of = {int(number): row for row, number in enumerate(faces.ids)}
    changed = faces.labels.copy()
    for number, name in new.items():
        if number not in row_of:
            raise DataError(f"{faces.source or 'this data set'} has no face with id {number}.")
        changed[row_of[number]] = places[name]
    return replace(faces, labels=changed)
