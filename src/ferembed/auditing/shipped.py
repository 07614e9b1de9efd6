"""What is known of FER2013's pictures without looking: the lists that ship with the package, as an audit's findings.

Pictures are known by the hash of their pixels, so that any copy of FER2013, in any order and any format without loss,
can be cleaned at once. The lists speak of Training and PublicTest; of other pictures they know nothing.
"""

from __future__ import annotations

import numpy as np

from ferembed.auditing.copies.find import Copies, grouped
from ferembed.auditing.labels import LabelIssues
from ferembed.auditing.outliers import KINDS, Outliers
from ferembed.auditing.stages import Arrays
from ferembed.data.dataset import FaceDataset
from ferembed.data.known import known, photo_groups, places_in
from ferembed.labels import FER2013_CLASSES


def known_copies(faces: FaceDataset) -> Copies:
    """Identical faces, and those that are listed as near copies; ``pairs`` is empty, for the lists hold groups.

    Examples
    --------
    >>> from ferembed.data import drawn_faces
    >>> len(known_copies(drawn_faces(70)))
    0
    """
    _, first, identical = np.unique(faces.pixel_hashes, return_index=True, return_inverse=True)
    none: Arrays = {
        "pairs": np.zeros((0, 2), np.int64),
        "detail": np.zeros(0, np.float32),
        "shifts": np.zeros((0, 2), np.float32),
        "scales": np.zeros((0, 2), np.float32),
    }
    return grouped(faces, first[identical], photo_groups(faces.hashes), none)


def known_outliers(faces: FaceDataset) -> Outliers:
    """Faces that are listed as blank, placeholder, drawing or unusual."""
    places = places_in("outliers", faces.hashes)
    kinds, scores = known("outliers", "kinds")[places], known("outliers", "scores")[places]
    rows = np.flatnonzero(places >= 0)
    rows = rows[np.argsort(places[rows], kind="stable")]
    rows = rows[np.argsort(kinds[rows], kind="stable")]
    return Outliers(faces.ids[rows], np.array(KINDS)[kinds[rows]], scores[rows].astype(np.float64))


def known_labels(faces: FaceDataset) -> LabelIssues:
    """Faces that still have a label that is listed as doubtful, the most doubtful first.

    ``joint`` and ``estimated`` are those of all faces that the list was made from.
    """
    names = np.array(FER2013_CLASSES)
    places = places_in("labels", faces.hashes)
    given = np.array(faces.classes)[faces.labels]
    rows = np.flatnonzero((places >= 0) & (given == names[known("labels", "given")[places]]))
    rows = rows[np.argsort(-known("labels", "scores")[places[rows]], kind="stable")]
    listed = places[rows]
    return LabelIssues(
        ids=faces.ids[rows],
        given=given[rows],
        suggested=names[known("labels", "suggested")[listed]],
        scores=known("labels", "scores")[listed].astype(np.float64),
        confident=known("labels", "confident")[listed].astype(bool),
        classes=FER2013_CLASSES,
        joint=known("labels", "joint"),
        estimated=int(known("labels", "estimated")),
    )
