"""What the data themselves are worth: counts, copies, odd pictures and doubtful labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from ferembed.auditing.copies.find import Copies, find_copies
from ferembed.auditing.labels import find_label_issues
from ferembed.auditing.lists import Places
from ferembed.auditing.outliers import Outliers, find_outliers
from ferembed.data.dataset import FaceDataset
from ferembed.page import face_grid, heading, note, table
from ferembed.runs.assessment import Answers

DOUBTFUL = 24
GROUPS = 12
ODD = 16
"""Pictures of each kind of outlier that are shown."""

QUICK = 15_000
"""Faces among which near copies and odd pictures are looked for unasked. Of FER2013, 8,000 take 20 s of one core for
it, and all 32,298 take 105 s."""


def audit_summary(faces: FaceDataset, answers: Answers, copies: Copies | bool | None = None) -> list[Markup]:
    """Images of each class and split, blank ones, copies, odd pictures, and the judged labels most in doubt.

    Parameters
    ----------
    faces : FaceDataset
        All splits.
    answers : Answers
        To the judged one.
    copies : Copies or bool, optional
        What :func:`ferembed.auditing.find_copies` found in ``faces``; or whether it is to look now, by default where
        there are :data:`QUICK` faces or fewer. Odd pictures are looked for where copies are.
    """
    if copies is None:
        copies = len(faces) <= QUICK
    found = copies if isinstance(copies, Copies) else find_copies(faces) if copies else None
    return [_counts(faces), *_identical(answers), *_near(faces, found), *_odd(faces, found), *_doubtful(answers)]


def _counts(faces: FaceDataset) -> Markup:
    parts = [faces.split(split) for split in faces.split_names]
    counts = np.array([[*part.class_counts().values(), len(part), part.blank.sum()] for part in parts]).T
    names = [*faces.classes, Markup("<em>all</em>"), Markup("<em>of them blank</em>")]
    rows = [[name, *(f"{count:,}" for count in line)] for name, line in zip(names, counts, strict=True)]
    return table(["class", *faces.split_names], rows, caption="Images of each class.")


def _identical(answers: Answers) -> list[Markup]:
    count, known = len(answers.codes), int((~answers.fresh).sum())
    sentence = f"{known:,} of the {count:,} images judged have an identical or known near copy among the faces learned."
    return [note(sentence)]


def _near(faces: FaceDataset, copies: Copies | None) -> list[Markup]:
    if copies is None:
        return [note("Near copies, such as re-crops of one photo, and odd pictures were not searched for.")]
    counts = [[name.replace("_", " "), f"{number:,}"] for name, number in copies.counts().items()]
    blocks = [heading("Copies"), table(["", "number"], counts, caption="Identical and near copies over all splits.")]
    leaking = set(copies.leaking.tolist())
    groups = [rows for rows in copies.members() if leaking & set(copies.ids[rows].tolist())][:GROUPS]
    if groups:
        rows = np.concatenate(groups)
        one, places = Markup("{}<br>{}<br>{}"), Places(faces)
        captions = [one.format(copies.splits[row], copies.labels[row], places.name(copies.ids[row])) for row in rows]
        first = "Groups that lie in more than one split" + (f", the first {GROUPS}." if len(groups) == GROUPS else ".")
        blocks += [note(first), *_shown(faces, copies.ids[rows], captions, "copies")]
    return blocks


def _odd(faces: FaceDataset, copies: Copies | None) -> list[Markup]:
    """Placeholders, drawings and unusual faces, some of each."""
    if copies is None:
        return []
    outliers: Outliers = find_outliers(faces, copies=copies)
    counts = [[kind, f"{number:,}"] for kind, number in outliers.counts().items()]
    blocks = [
        heading("Odd pictures"),
        table(["", "number"], counts, caption="Each is a reason to look, not a verdict."),
    ]
    split, places = dict(zip(faces.ids.tolist(), faces.splits.tolist(), strict=True)), Places(faces)
    for kind in ("placeholder", "drawing", "unusual"):
        ids = outliers.of(kind).ids
        if len(ids):
            few = f", the clearest {ODD} of {len(ids):,}" if len(ids) > ODD else ""
            captions = [Markup("{}<br>{}").format(split[number], places.name(number)) for number in ids[:ODD].tolist()]
            blocks += [note(f"{kind.capitalize()}{few}:"), *_shown(faces, ids[:ODD], captions, kind)]
    return blocks


def _shown(faces: FaceDataset, ids: NDArray[np.int64], captions: Sequence[Markup], name: str) -> list[Markup]:
    """The faces of some ids, in a sheet of their own."""
    place = {int(number): row for row, number in enumerate(faces.ids)}
    return [face_grid(faces.images[[place[int(number)] for number in ids]], captions, name)]


def _doubtful(answers: Answers) -> list[Markup]:
    """Labels of the judged split that the vote, which did not learn them, contradicts most."""
    if not answers.fresh.any():
        return []
    faces = answers.faces.with_labels(answers.codes, answers.classes)
    issues = find_label_issues(faces, probabilities=answers.probabilities["vote"])
    if not len(issues):
        return [note("The vote contradicts no label.")]
    top = issues.top(DOUBTFUL)
    one, places = Markup("{}<br>or {}?<br>{}"), Places(faces)
    doubted = zip(top.given, top.suggested, top.ids, strict=True)
    captions = [one.format(given, suggested, places.name(number)) for given, suggested, number in doubted]
    sentence = (
        f"The {len(top)} most doubtful of {len(issues):,} labels of this split that the vote contradicts; "
        f"{issues.estimated:,} are estimated to be slips, wrong whatever the face shows. Mistakes of the recogniser "
        "are among the others: look before you change a label."
    )
    return [heading("Doubtful labels"), note(sentence), *_shown(faces, top.ids, captions, "doubtful")]
