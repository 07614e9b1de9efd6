"""What the data themselves are worth: counts, copies, odd pictures and doubtful labels."""

from __future__ import annotations

from markupsafe import Markup

from ferembed.auditing.as_html import Sheets, class_counts, copy_counts
from ferembed.auditing.copies.find import Copies, find_copies
from ferembed.auditing.labels import find_label_issues
from ferembed.auditing.outliers import find_outliers
from ferembed.data.dataset import FaceDataset
from ferembed.page import heading, note
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
    known = (
        f"{int((~answers.fresh).sum()):,} of the {len(answers.codes):,} images judged have an identical or known near "
        "copy among the faces learned."
    )
    searched = (
        [note("Near copies, such as re-crops of one photo, and odd pictures were not searched for.")]
        if found is None
        else _copies_and_odd_ones(faces, found)
    )
    return [class_counts(faces), note(known), *searched, *_doubtful(answers)]


def _copies_and_odd_ones(faces: FaceDataset, copies: Copies) -> list[Markup]:
    sheets, leaking = Sheets(faces), set(copies.leaking.tolist())
    blocks = [heading("Copies"), copy_counts(copies)]
    groups = [rows for rows in copies.members() if leaking & set(copies.ids[rows].tolist())][:GROUPS]
    if groups:
        few = f", the first {GROUPS}" if len(groups) == GROUPS else ""
        blocks += [note(f"Groups that lie in more than one split{few}."), *sheets.groups("copies", copies, groups)]
    return [*blocks, heading("Odd pictures"), *sheets.outliers(find_outliers(faces, copies=copies), ODD)]


def _doubtful(answers: Answers) -> list[Markup]:
    """Labels of the judged split that the vote, which did not learn them, contradicts most."""
    if not answers.fresh.any():
        return []
    faces = answers.faces.with_labels(answers.codes, answers.classes)
    issues = find_label_issues(faces, probabilities=answers.probabilities["vote"])
    if not len(issues):
        return [note("The vote contradicts no label.")]
    top = issues.top(DOUBTFUL)
    sentence = (
        f"The {len(top)} most doubtful of {len(issues):,} labels of this split that the vote contradicts; "
        f"{issues.estimated:,} are estimated to be slips, wrong whatever the face shows. Mistakes of the recogniser "
        "are among the others: look before you change a label."
    )
    return [heading("Doubtful labels"), note(sentence), *Sheets(faces).labels(top)]
