"""What the data themselves are worth: counts, copies and doubtful labels."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from ferembed.assessment import Answers
from ferembed.auditing.copies import Copies
from ferembed.auditing.labels import find_label_issues
from ferembed.data.dataset import FaceDataset
from ferembed.evaluation.page import FaceSheet, heading, note, table

DOUBTFUL = 24
GROUPS = 12


def audit_summary(faces: FaceDataset, answers: Answers, copies: Copies | None = None) -> list[Markup]:
    """Images of each class and split, blank ones, copies, and the labels of the judged split most in doubt.

    Parameters
    ----------
    faces : FaceDataset
        All splits.
    answers : Answers
        To the judged one.
    copies : Copies, optional
        What :func:`ferembed.auditing.find_copies` found in ``faces``; without it known and identical ones are counted.
    """
    return [_counts(faces), *_identical(answers), *_near(faces, copies), *_doubtful(answers)]


def _counts(faces: FaceDataset) -> Markup:
    rows = []
    for split in faces.split_names:
        part = faces.split(split)
        counts = part.class_counts().values()
        rows.append([split, f"{len(part):,}", *(f"{count:,}" for count in counts), f"{int(part.blank.sum()):,}"])
    return table(["split", "images", *faces.classes, "blank"], rows, caption="Images of each class.")


def _identical(answers: Answers) -> list[Markup]:
    count, known = len(answers.codes), int((~answers.fresh).sum())
    sentence = f"{known:,} of the {count:,} images judged have an identical or known near copy among the faces learned."
    return [note(sentence)]


def _near(faces: FaceDataset, copies: Copies | None) -> list[Markup]:
    if copies is None:
        return [note("Near copies, such as re-crops of one photo, were not searched for.")]
    counts = [[name.replace("_", " "), f"{number:,}"] for name, number in copies.counts().items()]
    blocks = [heading("Copies"), table(["", "number"], counts, caption="Identical and near copies over all splits.")]
    leaking = set(copies.leaking.tolist())
    groups = [rows for rows in copies.members() if leaking & set(copies.ids[rows].tolist())][:GROUPS]
    if groups:
        rows = np.concatenate(groups)
        place = {int(number): row for row, number in enumerate(faces.ids)}
        sheet = FaceSheet(faces.images[[place[int(number)] for number in copies.ids[rows]]], "copies")
        one = Markup("{}<br>{}<br>row {}")
        captions = [one.format(copies.splits[row], copies.labels[row], copies.ids[row]) for row in rows]
        first = "Groups that lie in more than one split" + (f", the first {GROUPS}." if len(groups) == GROUPS else ".")
        blocks += [note(first), sheet.style, sheet.faces(np.arange(len(rows)), captions)]
    return blocks


def _doubtful(answers: Answers) -> list[Markup]:
    """Labels of the judged split that the vote, which did not learn them, contradicts most."""
    if not answers.fresh.any():
        return []
    faces = answers.faces.with_labels(answers.codes, answers.classes)
    issues = find_label_issues(faces, probabilities=answers.probabilities["vote"])
    if not len(issues):
        return [note("The vote contradicts no label.")]
    top = issues.top(DOUBTFUL)
    place = {int(number): row for row, number in enumerate(faces.ids)}
    sheet = FaceSheet(faces.images[[place[int(number)] for number in top.ids]], "doubtful")
    one = Markup("{}<br>or {}?<br>row {}")
    captions = [one.format(*each) for each in zip(top.given, top.suggested, top.ids, strict=True)]
    sentence = (
        f"The {len(top)} labels of this split that the vote contradicts most, weighed by confident learning (Northcutt "
        "et al. 2021). Mistakes of the recogniser are among them: look before you change a label."
    )
    return [heading("Doubtful labels"), note(sentence), sheet.style, sheet.faces(np.arange(len(top)), captions)]
