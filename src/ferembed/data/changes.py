"""What changes in a data set by what an audit found in it: which rows stay, which labels they have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferembed.data.errors import DataError
from ferembed.labels import place_of

Ids = NDArray[np.int64]


class Findings(Protocol):
    """A list of an audit that can be taken out of a data set: the ids of the faces to take out."""

    @property
    def unwanted(self) -> Ids: ...


class CopiesFound(Protocol):
    """The copies that an audit found: faces that have one, their photo, and those with one in a later split."""

    @property
    def ids(self) -> Ids: ...

    @property
    def groups(self) -> Ids: ...

    @property
    def leaking(self) -> Ids: ...


class Relabelling(Protocol):
    """Labels that an audit suggests: faces, and the class name of each."""

    @property
    def ids(self) -> Ids: ...

    @property
    def suggested(self) -> NDArray[np.str_]: ...


def rows_without(ids: Ids, unwanted: ArrayLike | Findings) -> NDArray[np.bool_]:
    """Which faces stay; see :meth:`FaceDataset.without`."""
    if hasattr(unwanted, "unwanted"):
        return ~np.isin(ids, unwanted.unwanted)
    rows = np.asarray(unwanted)
    if rows.dtype != bool and rows.size and not (rows.min() >= -len(ids) and rows.max() < len(ids)):
        raise DataError(f"rows must lie in 0..{len(ids) - 1}, not {rows.min()}..{rows.max()}.")
    kept = np.ones(len(ids), bool)
    kept[rows if rows.dtype == bool else rows.astype(np.int64)] = False
    return kept


def rows_without_later_copies(groups: NDArray[np.int64], rank: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which faces have no copy in a later split: ``groups`` number the photos, ``rank`` the splits; all (n,)."""
    groups = np.unique(groups, return_inverse=True)[1]
    latest = np.zeros(groups.max(initial=-1) + 1, np.int64)
    np.maximum.at(latest, groups, rank)
    return np.asarray(rank == latest[groups])


def changed_labels(
    ids: Ids, labels: NDArray[np.int64], classes: tuple[str, ...], wanted: Relabelling | Mapping[int, str]
) -> NDArray[np.int64]:
    """The labels with some changed; see :meth:`FaceDataset.fix_labels`."""
    pairs = wanted.items() if isinstance(wanted, Mapping) else zip(wanted.ids, wanted.suggested, strict=True)
    new = {int(number): str(name) for number, name in pairs}
    places: dict[str, int] = {}
    for name in new.values():
        if (place := place_of(name, classes)) is None:
            raise DataError(f"{name!r} is not among the classes {', '.join(classes)}.")
        places[name] = place
    row_of = {int(number): row for row, number in enumerate(ids)}
    changed = labels.copy()
    for number, name in new.items():
        if number not in row_of:
            raise DataError(f"the data set has no face with id {number}.")
        changed[row_of[number]] = places[name]
    return changed
