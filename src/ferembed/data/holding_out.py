"""A validation split for data that come without one."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .changes import CopiesFound
from .errors import DataError
from .known import photo_groups

if TYPE_CHECKING:
    from .dataset import FaceDataset

_PERSON = re.compile(
    r"(S\d{3})_\d{3}_\d+"  # CK+: S005_001_00000011
    r"|([A-Z]{2})\.[A-Z]{2}\d+\.\d+"  # JAFFE: KA.AN1.39
    r"|[AB]([FM]\d{2})[A-Z]{2,}"  # KDEF: AF01ANS
    r"|Rafd\d{3}_(\d{2})_"  # RaFD: Rafd090_01_Caucasian_female_angry_frontal
)


def with_validation(faces: FaceDataset, share: float, seed: int, copies: CopiesFound | None) -> FaceDataset:
    """Some of ``train`` as ``validation``; see :meth:`FaceDataset.with_validation`."""
    if not 0 < share < 1:
        raise DataError(f"the share to validate with must lie between 0 and 1, not be {share}.")
    if "validation" in faces.split_names:
        raise DataError(f"{faces.source or 'this data set'} has a validation split: nothing need be held out.")
    train = faces.split("train")
    held_out = _held_out(train.labels, _together(train, copies), share, np.random.default_rng(seed))
    if not held_out.any():
        raise DataError(
            f"the {len(train)} faces of train are too few, or too often the same photo or person, to hold any out."
        )
    splits = faces.splits.astype("<U10")
    splits[np.flatnonzero(faces.splits == "train")[held_out]] = "validation"
    return replace(faces, splits=splits)


def person_of(name: str) -> str | None:
    """The person whom a file shows, where its name follows CK+, JAFFE, KDEF or RaFD.

    Examples
    --------
    >>> [person_of(name) for name in ("S005_001_00000011.png", "KA.AN1.39.tiff", "AF01ANS.JPG", "im12.png")]
    ['S005', 'KA', 'F01', None]
    """
    found = _PERSON.match(name)
    return found and next(group for group in found.groups() if group)


def _together(faces: FaceDataset, copies: CopiesFound | None) -> NDArray[np.int64]:
    """A number for each face, equal where a chain of common photos and persons joins two; shape (n,)."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    found = {} if copies is None else dict(zip(copies.ids.tolist(), copies.groups.tolist(), strict=True))
    names = [None] * len(faces) if faces.paths is None else [person_of(Path(path).name) for path in faces.paths]
    kinds = [
        photo_groups(faces).tolist(),
        [found.get(number, f"\0{row}") for row, number in enumerate(faces.ids.tolist())],
        [name or f"\0{row}" for row, name in enumerate(names)],
    ]
    n, nodes, links = len(faces), len(faces), []
    for kind in kinds:
        numbers = np.unique(np.array(kind, dtype=np.str_), return_inverse=True)[1]
        links.append(numbers + nodes)
        nodes += n
    rows, columns = np.tile(np.arange(n), len(kinds)), np.concatenate(links)
    graph = coo_matrix((np.ones(len(rows)), (rows, columns)), (nodes, nodes))
    return np.asarray(connected_components(graph, directed=False)[1][:n], np.int64)


def _held_out(
    labels: NDArray[np.int64], groups: NDArray[np.int64], share: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Which faces to hold out: whole groups, as near to the share of each class as may be, one at least of each.

    The largest groups choose first; none takes the last training faces of a class.
    """
    groups = np.unique(groups, return_inverse=True)[1]
    counts = np.zeros((groups.max(initial=-1) + 1, labels.max(initial=-1) + 1), np.int64)
    np.add.at(counts, (groups, labels), 1)
    all_of = counts.sum(axis=0)
    wanted, weight = np.maximum(share * all_of, 1), 1 / np.maximum(all_of, 1)
    order = rng.permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    taken, chosen = np.zeros_like(all_of), np.zeros(len(counts), bool)
    for group in order:
        after = taken + counts[group]
        nearer = (weight * ((after - wanted) ** 2 - (taken - wanted) ** 2)).sum() < 0
        if nearer and (after < all_of)[counts[group] > 0].all():
            taken, chosen[group] = after, True
    return np.asarray(chosen[groups])
