"""The report of two runs side by side."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from ferembed.data.dataset import FaceDataset
from ferembed.evaluation.bootstrap import RESAMPLES
from ferembed.labels import place_of
from ferembed.page import heading, note, page
from ferembed.recognizer.shipped import load
from ferembed.report import cases, figures, pictures
from ferembed.report.data_section import audit_summary
from ferembed.report.matrix import difference_matrix
from ferembed.report.single import sections
from ferembed.runs import figure_tables
from ferembed.runs.assessment import Answers, Comparison, answer, compare_answers, judge
from ferembed.storage import write_text

if TYPE_CHECKING:
    from ferembed.auditing.copies.find import Copies
    from ferembed.recognizer.encoding import Views


def write_comparison(
    first: str | os.PathLike[str],
    second: str | os.PathLike[str],
    faces: FaceDataset,
    out: str | os.PathLike[str],
    *,
    split: str = "validation",
    copies: Copies | bool | None = None,
    views: Views = "single",
    resamples: int = RESAMPLES,
) -> Comparison:
    """Write what tells two runs apart on one split into one HTML file that needs no network.

    Both systems' figures with their differences, McNemar's test and intervals; the difference of their
    confusion matrices with the faces that only one of them puts into each cell; what either retrieves for the same
    queries; the faces that only one of them, or both, name wrongly; and what else :func:`write_report` shows of one
    run, of both.

    Parameters
    ----------
    first, second : path
        Folders that :func:`ferembed.train` wrote, of recognisers of the same classes.
    faces : FaceDataset
        Labelled faces with their splits; nearest faces are shown of a run that learned their ``train`` split.
    out : path
        The file.
    split : str
        The split to judge.
    copies
        As for :func:`write_report`.
    views, resamples
        As for :func:`ferembed.compare`.

    Raises
    ------
    StorageError
        If a run holds no recogniser.
    DataError
        If there is no such split, or the classes do not fit.
    """
    names = _names(Path(first), Path(second))
    recognizers = {name: load(run) for name, run in zip(names, (first, second), strict=True)}
    judged = faces.split(split)
    a, b = (answer(recognizer, judged, views=views) for recognizer in recognizers.values())
    comparison = compare_answers(a, b, resamples=resamples)
    b = _in_order(b, a.classes)
    votes = comparison.all_images["vote"]
    systems = dict(zip(names, (a, b), strict=True))
    judgements = {name: judge(recognizers[name], each, resamples=resamples) for name, each in systems.items()}
    train = faces.split("train") if "train" in faces.split_names else None
    parts: dict[str, Callable[[], list[Markup]]] = {
        "Figures": lambda: [
            *([] if comparison.copies else [note(figure_tables.NO_COPIES)]),
            *map(figures.drawn, figure_tables.comparison_tables(comparison, names)),
            *_of_each(names, lambda name: figures.provenance(judgements[name], recognizers[name].info)),
        ],
        "Confusion matrix": lambda: [difference_matrix(a, b, names)],
        "Classes": lambda: [pictures.class_bars({names[0]: votes.first, names[1]: votes.second})],
        "Confidence": lambda: pictures.confidence(systems, ("vote",)),
        "Retrieval": lambda: [
            figures.drawn(figure_tables.retrieval_table(judgements)),
            *cases.neighbours(recognizers, systems, train),
        ],
        "Embedding map": lambda: _of_each(names, lambda name: pictures.embedding_map(systems[name])),
        "Surest mistakes": lambda: cases.mistakes_of_both(a, b, names),
        "Saliency": lambda: pictures.saliency(recognizers, systems),
        "Data": lambda: [
            note(f"Copies and doubtful labels are told from what {names[0]} learned and answers."),
            *audit_summary(faces, a, copies),
        ],
        "Training": lambda: [block for run in (first, second) for block in pictures.training_curves(run)],
    }
    lead = f"{comparison.images:,} faces of the split {comparison.split!r} of {faces.source or 'the data set'}"
    write_text(out, page(f"{names[1]} against {names[0]}", sections(parts), lead=lead))
    return comparison


def _of_each(names: Sequence[str], make: Callable[[str], list[Markup]]) -> list[Markup]:
    """The blocks of each run under its name."""
    return [block for name in names for block in (heading(name), *make(name))]


def _names(first: Path, second: Path) -> tuple[str, str]:
    """The folders' names, or, where these are the same, their paths; a run against itself is numbered."""
    one, two = first.resolve(), second.resolve()
    if one == two:
        return f"{one.name} (1)", f"{two.name} (2)"
    return (one.name, two.name) if one.name != two.name else (str(one), str(two))


def _in_order(answers: Answers, classes: tuple[str, ...]) -> Answers:
    """The same answers with the classes in another order."""
    columns = [place for name in classes if (place := place_of(name, answers.classes)) is not None]
    return replace(
        answers,
        classes=classes,
        codes=np.argsort(columns)[answers.codes],
        probabilities={name: proba[:, columns] for name, proba in answers.probabilities.items()},
    )
