"""Which faces validate, for data that come without such a split."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ferembed.data.changes import CopiesFound
from ferembed.data.errors import DataError
from ferembed.data.known import photo_groups

_PERSON = re.compile(
    r"(S\d{3})_\d{3}_\d+"  # CK+: S005_001_00000011
    r"|([A-Z]{2})\.[A-Z]{2}\d+\.\d+"  # JAFFE: KA.AN1.39
    r"|[AB]([FM]\d{2})[A-Z]{2,}"  # KDEF: AF01ANS
    r"|Rafd\d{3}_(\d{2})_"  # RaFD: Rafd090_01_Caucasian_female_angry_frontal
)


def person_of(name: str) -> str | None:
    """The person whom a file shows, where its name follows CK+, JAFFE, KDEF or RaFD.

    Examples
    --------
    >>> [person_of(name) for name in ("S005_001_00000011.png", "KA.AN1.39.tiff", "AF01ANS.JPG", "im12.png")]
    ['S005', 'KA', 'F01', None]
    """
    found = _PERSON.match(name)
    return found and next(group for group in found.groups() if group)


def rows_to_validate(
    ids: NDArray[np.int64],
    labels: NDArray[np.int64],
    hashes: NDArray[np.uint8],
    paths: NDArray[np.str_] | None,
    share: float,
    seed: int,
    copies: CopiesFound | None,
) -> NDArray[np.bool_]:
    """Which training faces to hold out; see :meth:`FaceDataset.with_validation`."""
    if not 0 < share < 1:
        raise DataError(f"the share to validate with must lie between 0 and 1, not be {share}.")
    found = {} if copies is None else dict(zip(copies.ids.tolist(), copies.groups.tolist(), strict=True))
    persons = [None] * len(ids) if paths is None else [person_of(Path(path).name) for path in paths]
    groups = _together(photo_groups(hashes).tolist(), [found.get(number) for number in ids.tolist()], persons)
    held_out = _held_out(labels, groups, share, np.random.default_rng(seed))
    if not held_out.any():
        raise DataError(
            f"the {len(ids)} faces of train are too few, or too often the same photo or person, to hold any out."
        )
    return held_out


def _together(*kinds: Sequence[object]) -> NDArray[np.int64]:
    """A number for each face, equal where a chain of common names joins two; None is nobody's name. Shape (n,)."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n = nodes = len(kinds[0])
    links = []
    for kind in kinds:
        names = [f"\0{row}" if name is None else str(name) for row, name in enumerate(kind)]
        numbers = np.unique(np.array(names, dtype=np.str_), return_inverse=True)[1]
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
