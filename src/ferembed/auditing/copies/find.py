"""Copies: pictures that are identical, or show one photo cropped, mirrored, compressed or lit otherwise."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ferembed.auditing.copies._alignment import Alignment, align
from ferembed.auditing.copies.candidates import Candidates, best_of_each_pair, find_candidates, index_signatures
from ferembed.auditing.copies.views import MIDDLE, Poses, canvas
from ferembed.auditing.stages import Arrays, Stages
from ferembed.data.dataset import SPLITS, FaceDataset
from ferembed.index import Index
from ferembed.index.threads import THREADS

Ids = NDArray[np.int64]

DETAIL = 0.67
"""Agreement of the details below which no pair is a copy; what is asked beyond it, :func:`least_detail` says."""

WRONG, DOUBTFUL = 0.01, 0.1
"""Share that may be look-alikes: of all pairs found, and of those that agree about as little as the least one."""

_TAIL = 0.1
_NARROWEST = 0.05  # The scale of no tail measured is below 0.06; that of few pairs may come out as anything, even 0.

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
        Agreement of their details, :data:`DETAIL` to 1 (:class:`~ferembed.auditing.copies._alignment.Alignment`).
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
    under many shifts, zooms and mirrored (:mod:`~ferembed.auditing.copies.candidates`), and each pair found is aligned
    (:mod:`~ferembed.auditing.copies._alignment`); it is a copy where the details agree as those of the data's
    look-alikes do not (:func:`least_detail`). Groups are the connected components.

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
    return grouped(faces, exact, _photos(len(faces), links), found)


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
        none = Candidates(rows[:0, None].repeat(2, axis=1), np.zeros(0, np.int16), np.zeros(0, np.float32))
        return _laid_over(faces, none)
    index.cache_clear()

    def aligned(block: Ids) -> Arrays:
        return _laid_over(faces, best_of_each_pair([_of_rows(part, block) for part in found]))

    parts = list(stages.each("aligned", blocks, aligned, "Laying them over each other"))
    return _confirmed({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def _confirmed(laid: Arrays) -> Arrays:
    """The pairs whose details agree; a pair that agrees less is one of look-alikes unless others join its pictures."""
    pairs, detail = laid["pairs"], laid["detail"]
    promising = detail >= DETAIL
    photo = _photos(int(pairs.max(initial=-1)) + 1, pairs[promising])
    apart = photo[pairs[:, 0]] != photo[pairs[:, 1]]
    kept = detail >= least_detail(detail[apart], detail[promising])
    return {name: column[kept] for name, column in laid.items()}


def _photos(n: int, links: Ids) -> Ids:
    """A number for each of ``n`` rows, equal where links join them."""
    graph = coo_array((np.ones(len(links), bool), links.T), (n, n))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def least_detail(lookalikes: ArrayLike, promising: ArrayLike) -> float:
    """The agreement from which pairs count as copies among data whose look-alikes agree as these do.

    Two portraits share more than two stretches of grass, and two drawings by one hand share more still: how much is
    seen in the pairs that are no copies. The upper tenth of their agreements, on Fisher's scale (the inverse hyperbolic
    tangent, on which correlations near 1 spread out), is continued by an exponential tail (Pickands, "Statistical
    Inference Using Extreme Order Statistics", 1975), which tells how many look-alikes to expect above each agreement.
    They may be the share :data:`WRONG` of the pairs found, and :data:`DOUBTFUL` of those from the least one to where
    the tail has fallen to 1/e (Efron, "Large-Scale Simultaneous Hypothesis Testing", 2004).

    Parameters
    ----------
    lookalikes : array-like of float, shape (n,)
        Agreements, below :data:`DETAIL`, of pairs of two photos.
    promising : array-like of float, shape (m,)
        The others.

    Returns
    -------
    float
        :data:`DETAIL` or more; infinity where none of the promising pairs stands out.

    Examples
    --------
    >>> photos, drawings = np.linspace(-0.2, 0.3, 1000), np.linspace(0.2, 0.64, 1000)
    >>> least_detail(photos, [0.7, 0.72, 0.95]), least_detail(drawings, [0.7, 0.72, 0.95])
    (0.7, 0.95)
    """
    found = np.sort(np.asarray(promising, np.float64))
    below = np.arctanh(np.asarray(lookalikes, np.float64))
    if not len(below) or not len(found):
        return DETAIL
    start = np.quantile(below, 1 - _TAIL, method="inverted_cdf")
    spread = max(float(np.mean(below[below >= start] - start)), _NARROWEST)
    beyond = (np.arctanh(np.minimum(found, 1 - 1e-9)) - start) / spread
    expected, order = len(below) * _TAIL * np.exp(-beyond), np.arange(len(found))
    near = np.searchsorted(beyond, beyond + 1, side="right") - order
    right = (expected <= WRONG * (len(found) - order)) & (expected * (1 - np.exp(-1)) <= DOUBTFUL * near)
    return float(found[right.argmax()]) if right.any() else float("inf")


def _of_rows(candidates: Candidates, block: Ids) -> Candidates:
    """Those of the candidates, which are in order, whose smaller row lies in a block of rising rows."""
    lowest = candidates.pairs.min(axis=1)
    return candidates.at(slice(*np.searchsorted(lowest, [block[0], block[-1] + 1])))


def _laid_over(faces: FaceDataset, candidates: Candidates) -> Arrays:
    """The candidates that can be laid over each other, how, and by how much their details then agree."""

    def laid(block: Ids) -> Alignment:
        poses = Poses(*(column[block] for column in candidates.poses))
        first, second = (canvas(faces.images[rows]) for rows in candidates.pairs[block].T)
        return align(first, second, poses)

    with ThreadPoolExecutor(THREADS) as pool:
        parts = list(pool.map(laid, _blocks(np.arange(len(candidates.pairs)), _ALIGNED) or [np.zeros(0, np.int64)]))
    detail = np.concatenate([part.detail for part in parts])
    kept = detail != 0
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
