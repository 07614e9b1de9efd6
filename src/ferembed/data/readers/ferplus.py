"""FER+: ten people's opinions of each FER2013 image, as counts and as distributions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferembed.data.csv_files import read_rows, shown, whole_number
from ferembed.data.dataset import SPLITS, DataError, FaceDataset
from ferembed.data.errors import fault
from ferembed.data.readers.naming import USAGES
from ferembed.labels import FERPLUS_CLASSES

VOTE_COLUMNS: tuple[str, ...] = (
    "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF",
)  # fmt: skip
"""The vote columns of ``fer2013new.csv``: eight emotions, "unknown" and "not a face"."""

VOTE_MODES: tuple[str, ...] = ("probability", "majority", "multi_target")
"""The ways to turn counts into a distribution; see :func:`vote_distributions`."""

_MOST_VOTES = 1_000_000


def vote_distributions(counts: ArrayLike, mode: str = "probability") -> NDArray[np.float32]:
    """Distributions over the eight emotions of FER+ from the ten vote counts of each image.

    First an outlier rule: an emotion with a single vote counts as none. Of the votes that remain (those for "unknown"
    and "not a face" included), the mode then keeps some:

    - ``"majority"``: the emotion with more than half of the votes, alone.
    - ``"probability"``: emotions from the most voted down, ties together, until they hold three quarters of the votes,
      or three are taken, or "unknown" or "not a face" is next. They weigh by their votes.
    - ``"multi_target"``: every emotion with at least 30% of the votes, all weighing the same.

    A row is all zeros, no usable opinion, where "unknown" or "not a face" leads; where no emotion has a majority
    (``"majority"``); or where the kept answers hold half of the votes or fewer, or, with ``"probability"``, number more
    than three.

    Parameters
    ----------
    counts : array-like of int, shape (n, 10)
        Votes in the order of the columns of ``fer2013new.csv``.
    mode : {"probability", "majority", "multi_target"}
        Which votes make the distribution.

    Returns
    -------
    ndarray of float32, shape (n, 8)
        Rows sum to 1 or to 0; columns are :data:`~ferembed.labels.FERPLUS_CLASSES`.

    Raises
    ------
    ValueError
        If ``counts`` is not of shape (n, 10) or ``mode`` is unknown.

    References
    ----------
    Barsoum et al., "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution",
    ICMI 2016, https://arxiv.org/abs/1608.01041, and the authors' published reader of the data, where it settles what
    the paper leaves open (order, ties, what becomes of "unknown").

    Examples
    --------
    >>> vote_distributions([[4, 0, 0, 4, 1, 0, 0, 0, 1, 0]]).tolist()
    [[0.5, 0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0]]
    >>> vote_distributions([[4, 0, 0, 4, 1, 0, 0, 0, 1, 0]], "majority").sum().item()
    0.0
    """
    votes = np.asarray(counts, dtype=np.int64)
    if votes.ndim != 2 or votes.shape[1] != len(VOTE_COLUMNS):
        raise ValueError(f"counts must have shape (n, {len(VOTE_COLUMNS)}), not {votes.shape}.")
    if mode not in VOTE_MODES:
        raise ValueError(f"vote_mode must be one of {', '.join(VOTE_MODES)}, not {mode!r}.")
    votes = np.where(votes > 1, votes, 0)
    kept = {"majority": _majority, "probability": _probability, "multi_target": _multi_target}[mode](votes)
    total = kept.sum(axis=1, keepdims=True)
    shares = np.zeros(kept.shape, dtype=np.float32)
    np.divide(kept, total, out=shares, where=total > 0, casting="same_kind")
    return shares


def ferplus_labels(dataset: FaceDataset) -> FaceDataset:
    """The faces with a usable vote, labelled by their largest vote.

    Parameters
    ----------
    dataset : FaceDataset
        With ``votes``, as :func:`~ferembed.data.load_fer2013` gives it with ``votes=``.

    Returns
    -------
    FaceDataset
        The rows whose votes are not all zero; ``classes`` are the dataset's ``vote_classes``. Between equal votes, the
        class that comes first is taken.

    Raises
    ------
    DataError
        If the data set has no votes.
    """
    if dataset.votes is None:
        raise DataError(f"{dataset.source or 'this data set'} has no votes: load it with votes='fer2013new.csv'.")
    usable = dataset.subset(dataset.votes.sum(axis=1) > 0)
    assert usable.votes is not None
    return usable.with_labels(usable.votes.argmax(axis=1), dataset.vote_classes)


def refined_targets(labels: ArrayLike, votes: ArrayLike, num_classes: int, share: float) -> NDArray[np.float32]:
    """Labels that give way to what the annotators' votes say of a face.

    A wrong label is one person's slip; the labels that all faces with such votes have are hardly moved by it. So each
    face's target is its own label blended with their distribution, in which an emotion's votes count as the labels of
    the faces that have them: P(label | votes) = sum over emotions of votes(emotion) P(label | emotion).

    Parameters
    ----------
    labels : array-like of int, shape (n,)
    votes : array-like of float, shape (n, v)
        Distributions over emotions; all zeros where a face has none.
    num_classes : int
        Number ``c`` of classes the labels number.
    share : float
        Share of the target that the votes decide, 0 to 1. A face without votes keeps its label.

    Returns
    -------
    ndarray of float32, shape (n, c)
        Rows sum to 1.

    Examples
    --------
    >>> refined_targets([0, 0, 0, 1], [[1, 0], [1, 0], [1, 0], [1, 0]], 2, 0.5)[[0, 3]].tolist()
    [[0.875, 0.125], [0.375, 0.625]]
    """
    own, votes = np.eye(num_classes, dtype=np.float32)[np.asarray(labels)], np.asarray(votes, np.float32)
    counts = votes.T @ own
    label_of_emotion = counts / np.maximum(counts.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    voted = votes.sum(axis=1, keepdims=True) > 0
    blended: NDArray[np.float32] = own + np.float32(share) * np.where(voted, votes @ label_of_emotion - own, 0)
    return blended


def add_votes(dataset: FaceDataset, path: Path, mode: str) -> FaceDataset:
    """FER2013 with the votes of a ``fer2013new.csv`` beside it; raises DataError where the two do not align."""
    usages, counts = _read_votes(path)
    splits = np.array(SPLITS)[usages]
    chosen = np.flatnonzero(np.isin(splits, dataset.split_names))
    for name in dataset.split_names:
        here, there = int(np.sum(dataset.splits == name)), int(np.sum(splits == name))
        if here != there:
            raise DataError(
                f"{dataset.source} has {here} rows of {USAGES[SPLITS.index(name)]} and {path} has {there}: "
                "FER+ is aligned by row, so both must hold the same whole splits in the original order."
            )
    apart = np.flatnonzero(splits[chosen] != dataset.splits)
    if apart.size:
        vote_row = chosen[apart[0]]
        raise fault(
            path,
            int(vote_row) + 2,
            "Usage",
            f"{USAGES[usages[vote_row]]} stands beside a row of another Usage in {dataset.source}, "
            "so the two files are not in the same order",
        )
    return replace(dataset, votes=vote_distributions(counts[chosen], mode), vote_classes=FERPLUS_CLASSES)


def _read_votes(path: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    usage_codes = {usage: code for code, usage in enumerate(USAGES)}
    usages, counts = [], []
    for row, (usage, *cells) in read_rows(path, ("Usage", *VOTE_COLUMNS)):
        if usage not in usage_codes:
            raise fault(path, row, "Usage", f"{shown(usage)} is none of {', '.join(USAGES)}")
        usages.append(usage_codes[usage])
        votes = [whole_number(cell, _MOST_VOTES) for cell in cells]
        if None in votes:
            place = votes.index(None)
            raise fault(path, row, VOTE_COLUMNS[place], f"{shown(cells[place])} is not a number of votes")
        counts.append(votes)
    if not counts:
        raise DataError(f"{path} has a header but no rows.")
    return np.array(usages, dtype=np.int64), np.array(counts, dtype=np.int64)


def _majority(votes: NDArray[np.int64]) -> NDArray[np.int64]:
    emotions = votes[:, :-2]
    return np.where(2 * emotions > _total(votes), emotions, 0)


def _probability(votes: NDArray[np.int64]) -> NDArray[np.int64]:
    emotions = votes[:, :-2]
    ahead = emotions[:, None, :] > emotions[:, :, None]
    votes_ahead = (ahead * emotions[:, None, :]).sum(axis=2)
    taken = (
        (emotions > 0)
        & (emotions >= votes[:, -2:].max(axis=1, keepdims=True))
        & (4 * votes_ahead < 3 * _total(votes))
        & (ahead.sum(axis=2) < 3)
    )
    kept = np.where(taken, emotions, 0)
    agreed = (2 * _total(kept) > _total(votes)) & (taken.sum(axis=1, keepdims=True) <= 3)
    return np.where(agreed, kept, 0)


def _multi_target(votes: NDArray[np.int64]) -> NDArray[np.int64]:
    strong = (votes > 0) & (10 * votes >= 3 * _total(votes))
    agreed = 2 * _total(np.where(strong, votes, 0)) > _total(votes)
    led_by_emotion = votes[:, :-2].max(axis=1, keepdims=True) >= votes[:, -2:].max(axis=1, keepdims=True)
    return np.where(strong[:, :-2] & agreed & led_by_emotion, 1, 0)


def _total(votes: NDArray[np.int64]) -> NDArray[np.int64]:
    total: NDArray[np.int64] = votes.sum(axis=1, keepdims=True)
    return total
