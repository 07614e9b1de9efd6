"""The report of two runs side by side."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from ferembed.assessment import Answers, Comparison, answer, compare_answers
from ferembed.data.dataset import FaceDataset
from ferembed.evaluation.bootstrap import RESAMPLES
from ferembed.evaluation.page import page, write_page
from ferembed.recognizer import Recognizer
from ferembed.report import figures, pictures
from ferembed.report.matrix import difference_matrix
from ferembed.report.single import sections

if TYPE_CHECKING:
    from ferembed.data.augmentation import Views


def write_comparison(
    first: str | os.PathLike[str],
    second: str | os.PathLike[str],
    faces: FaceDataset,
    out: str | os.PathLike[str],
    *,
    split: str = "validation",
    views: Views = "single",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Write what tells two runs apart on one split into one HTML file that needs no network.

    Both systems' figures with their differences, McNemar's test and the paired bootstrap; the difference of their
    confusion matrices with the faces that only one of them puts into each cell; classes, calibration and saliency.

    Parameters
    ----------
    first, second : path
        Folders that :func:`ferembed.train` wrote, of recognisers of the same classes.
    faces : FaceDataset
        Labelled faces with their splits.
    out : path
        The file.
    split : str
        The split to judge.
    views, resamples, seed
        As for :func:`ferembed.compare`.

    Raises
    ------
    StorageError
        If a run holds no recogniser.
    DataError
        If there is no such split, or the classes do not fit.
    """
    names = _names(Path(first), Path(second))
    recognizers = {name: Recognizer.load(run) for name, run in zip(names, (first, second), strict=True)}
    judged = faces.split(split)
    a, b = (answer(recognizer, judged, views=views) for recognizer in recognizers.values())
    comparison = compare_answers(a, b, resamples=resamples, seed=seed)
    b = _in_order(b, a.classes)
    votes = comparison.all_images["vote"]
    systems = dict(zip(names, (a, b), strict=True))
    parts: dict[str, Callable[[], list[Markup]]] = {
        "Figures": lambda: figures.comparison_tables(comparison, names),
        "Confusion matrix": lambda: [difference_matrix(a, b, names)],
        "Classes": lambda: [pictures.class_bars({names[0]: votes.first, names[1]: votes.second})],
        "Confidence": lambda: pictures.confidence(systems, ("vote",)),
        "Saliency": lambda: pictures.saliency(recognizers, a),
        "Training": lambda: [block for run in (first, second) for block in pictures.training_curves(Path(run))],
    }
    lead = f"{comparison.images:,} faces of the split {comparison.split!r} of {faces.source or 'the data set'}"
    write_page(out, page(f"{names[1]} against {names[0]}", sections(parts), lead=lead))
    return comparison


def _names(first: Path, second: Path) -> tuple[str, str]:
    """The folders' names, or, where these are the same, their paths; a run against itself is numbered."""
    one, two = first.resolve(), second.resolve()
    if one == two:
        return f"{one.name} (1)", f"{two.name} (2)"
    return (one.name, two.name) if one.name != two.name else (str(one), str(two))


def _in_order(answers: Answers, classes: tuple[str, ...]) -> Answers:
    """The same answers with the classes in another order."""
    columns = [answers.classes.index(name) for name in classes]
    return replace(
        answers,
        classes=classes,
        codes=np.argsort(columns)[answers.codes],
        probabilities={name: proba[:, columns] for name, proba in answers.probabilities.items()},
    )
