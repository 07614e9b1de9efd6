"""Copies: pictures that are identical, or show one photo cropped, mirrored, compressed or lit otherwise."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ferembed.auditing.alignment import Alignment, align
from ferembed.auditing.candidates import Candidates, best_of_each_pair, find_candidates, index_signatures
from ferembed.auditing.canvas import canvas
from ferembed.auditing.stages import Arrays, Stages
from ferembed.auditing.views import MIDDLE, Poses
from ferembed.data.dataset import SPLITS, FaceDataset
from ferembed.index import Index
from ferembed.index._threads import THREADS

Ids = NDArray[np.int64]

DETAIL = 0.8
"""Correlation of the details from which an aligned pair counts as a copy."""

_SEARCHED = 256
_ALIGNED = 64
_BLOCK = 4096


@dataclass(frozen=True, eq=False)
class Copies:
    """Groups of pictures that show one photo.

    Attributes
    ----------
    ids : ndarray of int64, shape (c,)
        The pictures that have a copy, group by group; within a group those of the test split come first, then
        validation, then train, each in the order of the data.
    groups : ndarray of int64, shape (c,)
        Group of each, numbered from 0.
    splits, labels : ndarray of str, shape (c,)
        Split and class name of each.
    exact : ndarray of int64, shape (c,)
        Equal numbers within a group mean identical pixels.
    pairs : ndarray of int64, shape (p, 2)
        Near copies that were found, by id: the second picture lies in the first.
    detail : ndarray of float32, shape (p,)
        Correlation of their details, :data:`DETAIL` to 1.
    shifts, scales : ndarray of float32, shape (p, 2)
        How the second lies in the first, down and across: pixels of a 48 x 48 canvas between the middles, and scale; a
        negative scale across is a mirror image.
    """

    ids: Ids
    groups: Ids
    splits: NDArray[np.str_]
    labels: NDArray[np.str_]
    exact: Ids
    pairs: Ids
    detail: NDArray[np.float32]
    shifts: NDArray[np.float32]
    scales: NDArray[np.float32]

    def __len__(self) -> int:
        return int(self.groups.max(initial=-1)) + 1

    @property
    def redundant(self) -> Ids:
        """All pictures of each group but its first."""
        return np.asarray(self.ids[1:][self.groups[1:] == self.groups[:-1]])

    @property
    def unwanted(self) -> Ids:
        """What :meth:`~ferembed.data.FaceDataset.without` takes out: :attr:`redundant`."""
        return self.redundant

    @property
    def leaking(self) -> Ids:
        """Pictures with a copy in a later split: of train in validation or test, of validation in test."""
        rank = _rank(self.splits)
        latest = np.zeros(len(self), np.int64)
        np.maximum.at(latest, self.groups, rank)
        return np.asarray(self.ids[rank < latest[self.groups]])

    @property
    def disagreeing(self) -> Ids:
        """Groups whose pictures do not all have one label."""
        return np.flatnonzero([len(np.unique(self.labels[rows])) > 1 for rows in self.members()])

    def members(self) -> list[NDArray[np.int64]]:
        """Places in :attr:`ids` of each group."""
        return np.split(np.arange(len(self.ids)), np.flatnonzero(np.diff(self.groups)) + 1) if len(self.ids) else []

    def counts(self) -> dict[str, int]:
        """What a reader wants to know first."""
        exact_groups = [rows for rows in self.members() if len(np.unique(self.exact[rows])) < len(rows)]
        return {
            "groups": len(self),
            "pictures": len(self.ids),
            "groups_with_identical_pixels": len(exact_groups),
            "near_copy_pairs": len(self.pairs),
            "redundant": len(self.redundant),
            "leaking": len(self.leaking),
            "groups_with_several_labels": len(self.disagreeing),
        }


def find_copies(faces: FaceDataset, stages: Stages | None = None) -> Copies:
    """Find all copies in a data set.

    Identical pictures are found by their hashes. For near copies every picture is looked for in an index of signatures
    under many shifts, zooms and mirrored (:mod:`~ferembed.auditing.candidates`), and each pair found is aligned
    (:mod:`~ferembed.auditing.alignment`); it is a copy where the details correlate by :data:`DETAIL` or more.
    Groups are the connected components.

    Parameters
    ----------
    faces : FaceDataset
        Blank pictures count as copies only of identical ones.
    stages : Stages, optional
        Where finished parts are kept.

    Returns
    -------
    Copies

    Examples
    --------
    >>> from ferembed.data import drawn_faces
    >>> faces = drawn_faces(70)
    >>> twice = FaceDataset(np.concatenate([faces.images, faces.images[:2, :, ::-1]]), [*faces.labels, 0, 0],
    ...     faces.classes)
    >>> copies = find_copies(twice)
    >>> len(copies), copies.redundant.tolist(), (copies.scales[:, 1] < 0).tolist()
    (2, [70, 71], [True, True])
    """
    stages = stages or Stages(None, "")
    _, first, identical = np.unique(faces.pixel_hashes, return_index=True, return_inverse=True)
    found = stages.once("copies", lambda: _near_copies(faces, np.sort(first[~faces.blank[first]]), stages))
    stages.forget("candidates-")
    stages.forget("aligned-")
    exact = first[identical]
    links = np.concatenate([np.stack([np.arange(len(faces)), exact], axis=1), found["pairs"]])
    shape = (len(faces), len(faces))
    photo = connected_components(coo_array((np.ones(len(links), bool), links.T), shape), directed=False)[1]
    return grouped(faces, exact, photo, found)


def _near_copies(faces: FaceDataset, rows: Ids, stages: Stages) -> Arrays:
    """Pairs of ``rows`` that show one photo, as row numbers, with how they lie over each other."""

    @cache
    def index() -> Index:
        return index_signatures(faces, rows)

    def searched(block: Ids) -> Arrays:
        parts = [find_candidates(faces, part, index()) for part in _blocks(block, _SEARCHED)]
        return best_of_each_pair(parts)._asdict()

    blocks = _blocks(rows, _BLOCK)
    found = [Candidates(**part) for part in stages.each("candidates", blocks, searched, "Looking for copies")]
    if not found:
        return _confirmed(
            faces, Candidates(rows[:0, None].repeat(2, axis=1), np.zeros(0, np.int16), np.zeros(0, np.float32))
        )
    index.cache_clear()

    def aligned(block: Ids) -> Arrays:
        return _confirmed(faces, best_of_each_pair([_of_rows(part, block) for part in found]))

    parts = list(stages.each("aligned", blocks, aligned, "Laying them over each other"))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _of_rows(candidates: Candidates, block: Ids) -> Candidates:
    """Those of the candidates, which are in order, whose smaller row lies in a block of rising rows."""
    lowest = candidates.pairs.min(axis=1)
    return candidates.at(slice(*np.searchsorted(lowest, [block[0], block[-1] + 1])))


def _confirmed(faces: FaceDataset, candidates: Candidates) -> Arrays:
    """The candidates whose details agree."""

    def laid(block: Ids) -> Alignment:
        poses = Poses(*(column[block] for column in candidates.poses))
        first, second = (canvas(faces.images[rows]) for rows in candidates.pairs[block].T)
        return align(first, second, poses)

    with ThreadPoolExecutor(THREADS) as pool:
        parts = list(pool.map(laid, _blocks(np.arange(len(candidates.pairs)), _ALIGNED) or [np.zeros(0, np.int64)]))
    detail = np.concatenate([part.detail for part in parts])
    kept = detail >= DETAIL
    return {
        "pairs": candidates.pairs[kept],
        "detail": detail[kept],
        "shifts": np.concatenate([part.poses.centre for part in parts])[kept] - np.float32(MIDDLE),
        "scales": np.concatenate([part.poses.scale for part in parts])[kept],
    }


def grouped(faces: FaceDataset, exact: Ids, photo: Ids, found: Arrays) -> Copies:
    """The copies among faces of known photos.

    Parameters
    ----------
    faces : FaceDataset
    exact, photo : ndarray of int64, shape (n,)
        Of each face the first row with the same pixels, and a number for the photo that it shows.
    found : dict
        ``pairs`` by row, and ``detail``, ``shifts`` and ``scales`` of each, as in :class:`Copies`.
    """
    rows = np.flatnonzero(np.bincount(photo, minlength=1)[photo] > 1)
    order = rows[np.lexsort((rows, -_rank(faces.splits[rows]), photo[rows]))]
    return Copies(
        ids=faces.ids[order],
        groups=np.unique(photo[order], return_inverse=True)[1].astype(np.int64),
        splits=faces.splits[order],
        labels=np.array(faces.classes)[faces.labels[order]],
        exact=faces.ids[exact[order]],
        pairs=faces.ids[found["pairs"]],
        detail=found["detail"],
        shifts=found["shifts"],
        scales=found["scales"],
    )


def _rank(splits: NDArray[np.str_]) -> Ids:
    """0 for train, then validation, test and any other split."""
    rank = np.full(len(splits), len(SPLITS), np.int64)
    for place, name in enumerate(SPLITS):
        rank[splits == name] = place
    return rank


def _blocks(rows: Ids, size: int) -> list[Ids]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]
