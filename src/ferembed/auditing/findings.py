"""What an audit found, as values and JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferembed.auditing.copies.find import Copies
from ferembed.auditing.labels import LabelIssues
from ferembed.auditing.outliers import Outliers
from ferembed.data.dataset import FaceDataset


@dataclass(frozen=True, eq=False)
class Balance:
    """Faces of each class in each split.

    Attributes
    ----------
    splits, classes : tuple of str
    counts : ndarray of int64, shape (splits, classes)
    """

    splits: tuple[str, ...]
    classes: tuple[str, ...]
    counts: NDArray[np.int64]


def count_classes(faces: FaceDataset) -> Balance:
    """Count the faces of each class in each split.

    Examples
    --------
    >>> from ferembed.data import drawn_faces
    >>> count_classes(drawn_faces(70)).counts[0].tolist()
    [7, 7, 7, 7, 7, 7, 7]
    """
    counts = [list(faces.split(name).class_counts().values()) for name in faces.split_names]
    return Balance(
        faces.split_names, faces.classes, np.array(counts, np.int64).reshape(len(counts), len(faces.classes))
    )


@dataclass(frozen=True, eq=False)
class AuditReport:
    """What :func:`audit` found in a data set.

    Attributes
    ----------
    source : str
    fingerprint : str
        SHA-256 over pixels, labels and splits: which data this speaks of.
    images : int
    balance : Balance
    copies : Copies
    outliers : Outliers
    labels : LabelIssues or None
        None where there was no recogniser to doubt labels with, or its embedding collapsed.
    collapsed : bool
        Whether the recogniser sees all faces at one point.
    """

    source: str
    fingerprint: str
    images: int
    balance: Balance
    copies: Copies
    outliers: Outliers
    labels: LabelIssues | None
    collapsed: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; faces are named by their ids."""
        copies, labels = self.copies, self.labels
        return {
            "source": self.source,
            "fingerprint": self.fingerprint,
            "images": self.images,
            "embedding_has_collapsed": self.collapsed,
            "balance": {
                split: dict(zip(self.balance.classes, row, strict=True))
                for split, row in zip(self.balance.splits, self.balance.counts.tolist(), strict=True)
            },
            "copies": {
                **copies.counts(),
                "members": [
                    {
                        "ids": copies.ids[rows].tolist(),
                        "splits": copies.splits[rows].tolist(),
                        "labels": copies.labels[rows].tolist(),
                        "identical_to": copies.exact[rows].tolist(),
                    }
                    for rows in copies.members()
                ],
                "pairs": _records(
                    ids=copies.pairs, detail=copies.detail.round(4), shift=copies.shifts, scale=copies.scales
                ),
                "leaking_ids": copies.leaking.tolist(),
                "redundant_ids": copies.redundant.tolist(),
            },
            "outliers": {
                **self.outliers.counts(),
                "found": _records(id=self.outliers.ids, kind=self.outliers.kinds, score=self.outliers.scores.round(4)),
            },
            "labels": None
            if labels is None
            else {
                "estimated_wrong": labels.estimated,
                "classes": list(labels.classes),
                "unjudged": list(labels.unjudged),
                "learnt": None if labels.learnt is None else {**asdict(labels.learnt), "hidden": labels.learnt.hidden},
                "confident_joint": labels.joint.tolist(),
                "doubted": _records(
                    id=labels.ids,
                    given=labels.given,
                    suggested=labels.suggested,
                    score=labels.scores.round(4),
                    confident=labels.confident,
                ),
            },
        }


def _records(**columns: NDArray[Any]) -> list[dict[str, Any]]:
    lists = {
        name: np.round(column, 3).tolist() if column.dtype == np.float32 else column.tolist()
        for name, column in columns.items()
    }
    return [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]
