"""The report of one run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from ferembed.data.dataset import FaceDataset
from ferembed.evaluation.bootstrap import RESAMPLES
from ferembed.page import Section, page, row
from ferembed.progress import progress
from ferembed.recognizer.shipped import load
from ferembed.report import cases, figures, pictures
from ferembed.report.data_section import audit_summary
from ferembed.report.matrix import confusion_matrix
from ferembed.runs import figure_tables
from ferembed.runs.assessment import Evaluation, answer, judge
from ferembed.storage import write_text

if TYPE_CHECKING:
    from ferembed.auditing.copies.find import Copies
    from ferembed.recognizer.encoding import Views


def write_report(
    run: str | os.PathLike[str],
    faces: FaceDataset,
    out: str | os.PathLike[str],
    *,
    split: str = "validation",
    copies: Copies | bool | None = None,
    views: Views = "single",
    resamples: int = RESAMPLES,
) -> Evaluation:
    """Write all there is to see of a run on one split into one HTML file that needs no network.

    Figures with intervals, the confusion matrix with the faces behind each cell, the classes, calibration and
    rejection, retrieval with the nearest faces of some queries, a map of the embedding, the surest mistakes, saliency,
    the data's copies, odd pictures and doubtful labels, and training curves. The file suits light and dark screens.

    Parameters
    ----------
    run : path
        Folder that :func:`ferembed.train` wrote.
    faces : FaceDataset
        Labelled faces with their splits. If its ``train`` split is what the run learned, nearest faces are shown.
    out : path
        The file.
    split : str
        The split to judge.
    copies : Copies or bool, optional
        Near copies in ``faces``, as :func:`ferembed.auditing.copies.find.find_copies` finds them, to be shown too; or
        whether to look for them, and for odd pictures, now: by default where there are 15,000 faces or fewer, which
        takes less than a minute.
    views, resamples
        As for :func:`ferembed.evaluate`; 1 resample or more.

    Returns
    -------
    Evaluation
        The figures in it.

    Raises
    ------
    StorageError
        If ``run`` holds no recogniser.
    DataError
        If there is no such split, or it holds a class the recogniser does not know.
    """
    recognizer = load(run)
    answers = answer(recognizer, faces.split(split), views=views)
    evaluation = judge(recognizer, answers, resamples=resamples)
    vote = evaluation.all_images["vote"]
    train = faces.split("train") if "train" in faces.split_names else None
    parts: dict[str, Callable[[], list[Markup]]] = {
        "Figures": lambda: [
            figures.headline(evaluation),
            figures.drawn(figure_tables.voters_table(evaluation)),
            *figures.provenance(evaluation, recognizer.info),
        ],
        "Confusion matrix": lambda: [confusion_matrix(answers)],
        "Classes": lambda: [row(figures.drawn(figure_tables.classes_table(vote)), pictures.class_bars(vote))],
        "Confidence": lambda: pictures.confidence({"": answers}, tuple(answers.probabilities)),
        "Retrieval": lambda: [
            figures.drawn(figure_tables.retrieval_table({"": evaluation})),
            *cases.neighbours({"": recognizer}, {"": answers}, train),
        ],
        "Embedding map": lambda: pictures.embedding_map(answers),
        "Surest mistakes": lambda: cases.mistakes(answers),
        "Saliency": lambda: pictures.saliency({"": recognizer}, {"": answers}),
        "Data": lambda: audit_summary(faces, answers, copies),
        "Training": lambda: pictures.training_curves(run),
    }
    lead = f"{evaluation.images:,} faces of the split {evaluation.split!r} of {faces.source or 'the data set'}"
    write_text(out, page(f"Report of {Path(run).name}", sections(parts), lead=lead))
    return evaluation


def sections(parts: dict[str, Callable[[], list[Markup]]]) -> list[Section]:
    """Make the sections of a page one by one; what takes long shows its progress."""
    made: list[Section] = []
    with progress("writing the report", len(parts)) as show:
        for title, make in parts.items():
            made.append(Section(title, make()))
            show(len(made))
    return made
