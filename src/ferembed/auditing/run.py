"""The audit as a whole."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferembed.auditing.as_html import write_page
from ferembed.auditing.copies.find import Copies, find_copies
from ferembed.auditing.findings import AuditReport, count_classes
from ferembed.auditing.labels import find_label_issues
from ferembed.auditing.lists import write_lists
from ferembed.auditing.outliers import find_outliers
from ferembed.auditing.stages import Stages
from ferembed.data.dataset import DataError, FaceDataset
from ferembed.data.resolution import as_asked
from ferembed.evaluation import collapsed
from ferembed.storage import write_json

if TYPE_CHECKING:
    from ferembed.recognizer import Recognizer

VERSION = 3
"""Of what the stages hold; results of another version are computed anew."""

_ENCODED = 2048


def audit(
    faces: FaceDataset,
    recognizer: Recognizer | None = None,
    *,
    probabilities: ArrayLike | None = None,
    out: str | os.PathLike[str] | None = None,
) -> AuditReport:
    """Check a data set before believing a score on it: copies, blank and odd pictures, doubtful labels, balance.

    Parameters
    ----------
    faces : FaceDataset
    recognizer : Recognizer, optional
        Its embeddings rank doubtful labels. One that was trained on these very labels hides those it
        learnt by heart; how many, ``report.labels.learnt`` estimates from the faces that it did not learn.
    probabilities : array-like, shape (n, c), optional
        Class probabilities from models that did not see the row's label, to doubt labels with instead.
    out : path, optional
        Folder for ``audit.json``, ``audit.html``, a table of each finding (``copies.csv`` and others) and, in
        ``stages/``, what is finished: an audit that was interrupted goes on from there, and a later one of the same
        data reads it back.

    Returns
    -------
    AuditReport

    Raises
    ------
    DataError
        If there are no faces, or probabilities do not fit them.

    Examples
    --------
    >>> from ferembed.data import drawn_faces
    >>> report = audit(drawn_faces(140))
    >>> len(report.copies), report.outliers.counts()["blank"], report.labels is None
    (0, 0, True)
    """
    if not len(faces):
        raise DataError(f"{faces.source or 'this data set'} holds no faces to audit.")
    if len(np.unique(faces.ids)) < len(faces):
        raise DataError("the ids of the faces must differ, so that findings can name them.")
    fingerprint = faces.table_fingerprint
    stages = Stages(None if out is None else Path(out) / "stages", f"{VERSION} {fingerprint}")
    copies = find_copies(faces, stages)
    embeddings = None
    if recognizer is not None and probabilities is None:
        embeddings = _embeddings(faces, recognizer, stages)
    fallen = embeddings is not None and collapsed(embeddings)
    labels = None
    if probabilities is not None:
        labels = find_label_issues(faces, probabilities=probabilities)
    elif recognizer is not None and not fallen:
        learnt = recognizer.copies_in_gallery(faces, exact=True)
        labels = find_label_issues(faces, embeddings, groups=_groups(faces, copies), learnt=learnt)
    report = AuditReport(
        source=faces.source,
        fingerprint=fingerprint,
        images=len(faces),
        balance=count_classes(faces),
        copies=copies,
        outliers=find_outliers(faces, copies=copies),
        labels=labels,
        collapsed=fallen,
    )
    if out is not None:
        write_json(Path(out) / "audit.json", report.to_dict())
        write_lists(report, faces, Path(out))
        write_page(report, faces, Path(out) / "audit.html")
    return report


def _embeddings(faces: FaceDataset, recognizer: Recognizer, stages: Stages) -> NDArray[np.float32]:
    weights = hashlib.sha256()
    for name, value in sorted(recognizer.engine.files.weights.items()):
        weights.update(name.encode())
        weights.update(value.tobytes())
    rows = np.arange(len(faces))
    blocks = [rows[start : start + _ENCODED] for start in range(0, len(rows), _ENCODED)]
    name = f"embeddings-{weights.hexdigest()[:16]}"
    seen = as_asked(faces, image_size=recognizer.engine.image_size, channels=recognizer.engine.channels)
    found = stages.each(
        name, blocks, lambda block: {"vectors": recognizer.encode(seen.images[block])}, "Encoding faces"
    )
    return np.concatenate([part["vectors"] for part in found])


def _groups(faces: FaceDataset, copies: Copies) -> NDArray[np.int64]:
    """The group of copies of each face, a number of its own where it has none."""
    group_of = dict(zip(copies.ids.tolist(), copies.groups.tolist(), strict=True))
    return np.array([group_of.get(number, len(copies) + row) for row, number in enumerate(faces.ids.tolist())])
