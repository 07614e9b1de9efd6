"""Pictures of a report, each drawn for light and dark pages."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from ferembed.auditing.lists import Places
from ferembed.data.dataset import FaceDataset
from ferembed.evaluation import (
    Metrics,
    collapsed,
    plot_classes,
    plot_embedding,
    plot_reliability,
    plot_risk_coverage,
    plot_training,
    project_embedding,
    reliability_curve,
    risk_coverage_curve,
)
from ferembed.evaluation.plots.training import METRICS
from ferembed.evaluation.ranking import RiskCoverageCurve
from ferembed.evaluation.wording import COLLAPSED, voter_name
from ferembed.explain import explain_similarity, plot_similarity_saliency
from ferembed.explain.plots import plot_cases, surest_cases
from ferembed.models.weights import shipped_names
from ferembed.page import FaceSheet, face_map, figure, note, row
from ferembed.probability import most_probable
from ferembed.recognizer import Recognizer
from ferembed.runs.assessment import Answers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAPPED = 1500
"""Faces on the map at most: more take long and hide each other."""

SALIENT = 4
"""Right and wrong cases whose saliency is shown, of each kind."""


def class_bars(metrics: Metrics | Mapping[str, Metrics]) -> Markup:
    """Recall, precision and F1 of each class, or the recall of several systems."""
    what = "Recall, precision and F1" if isinstance(metrics, Metrics) else "Recall"
    return figure(lambda: plot_classes(metrics), f"{what} of each class by the vote; whiskers are 95% intervals.")


def confidence(answers: Mapping[str, Answers], voters: tuple[str, ...]) -> list[Markup]:
    """Reliability of the vote, and risk against coverage of each voter, of one system or several by name."""
    curves: dict[str, RiskCoverageCurve] = {}
    diagrams = []
    for name, each in answers.items():
        for voter in voters:
            proba = each.probabilities[voter]
            label = " ".join(filter(None, [name, voter_name(voter) if len(voters) > 1 else ""]))
            curves[label] = risk_coverage_curve(proba.max(axis=1), most_probable(proba) == each.codes)
        diagrams.append(_reliability(each, name))
    risk = figure(lambda: plot_risk_coverage(curves), "Error among the faces answered, the most confident first.")
    return [row(*diagrams, risk)]


def embedding_map(answers: Answers) -> list[Markup]:
    """The embedding on a plane by t-SNE, coloured by the true class, with misclassified faces set in."""
    count = len(answers.codes)
    if count < 4:
        return [note("A map needs four faces or more.")]
    if collapsed(answers.embeddings):
        return [note(COLLAPSED)]
    rows = _drawn(count)
    points = project_embedding(answers.embeddings[rows])
    names = np.array(answers.classes)
    truth, predicted = names[answers.codes[rows]], names[answers.predicted()[rows]]
    images, sure = answers.faces.images[rows], answers.probabilities["vote"][rows].max(axis=1)
    shown = f"all {count:,}" if len(rows) == count else f"{len(rows):,} of the {count:,}, drawn at random"
    caption = (
        f"Faces ({shown}) by t-SNE: near faces are alike to the recogniser; distances between far groups mean nothing. "
        "Ringed: named wrongly by the vote; at the sides some of these, true > predicted."
    )

    def draw() -> Axes:
        return plot_embedding(points, truth, answers.classes, predicted, images)

    sheet, places = FaceSheet(images, "map"), Places(answers.faces)
    captions = [
        f"{places.name(number)}: {true}, called {named} ({share:.0%})"
        for number, true, named, share in zip(answers.faces.ids[rows], truth, predicted, sure, strict=True)
    ]
    return [sheet.style, face_map(figure(draw, caption, form="png"), _places(draw(), points), sheet, captions)]


def _places(ax: Axes, points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Where points of a picture lie in it: shares of its width from the left and of its height from the top, (n, 2)."""
    whole = ax.get_figure(root=True)
    assert whole is not None
    whole.draw_without_rendering()
    places: NDArray[np.float64] = whole.transFigure.inverted().transform(ax.transData.transform(points))
    return np.stack([places[:, 0], 1 - places[:, 1]], axis=1)


def training_curves(run: str | os.PathLike[str]) -> list[Markup]:
    """What the run has logged, epoch by epoch."""
    folder = Path(run)
    if run in shipped_names() or not (folder / METRICS).is_file():
        return [note(f"{folder.name} has kept no log of its training.")]
    return [figure(lambda: plot_training(folder), f"What {folder.name} logged after each epoch.")]


def saliency(recognizers: Mapping[str, Recognizer], systems: Mapping[str, Answers]) -> list[Markup]:
    """Occlusion of the surest right and wrong cases of each system, by the vote and by k-NN alone, and of a pair.

    The cases are drawn from those that are the surest to the first system.
    """
    answers = next(iter(systems.values()))
    proba = answers.probabilities["vote"]
    sure, right = proba.max(axis=1), most_probable(proba) == answers.codes
    keep = [
        rows[np.argsort(-sure[rows], kind="stable")[:SALIENT]]
        for code in range(len(answers.classes))
        for kind in (right, ~right)
        if (rows := np.flatnonzero((answers.codes == code) & kind)).size
    ]
    faces = answers.faces.subset(np.concatenate(keep))
    what = (
        "Faces, what hiding a place does to the probability of the predicted class by {}, and both. Violet: the class "
        "loses by it; orange: it gains. Upper row: surest right cases; lower row: surest mistakes, each of as many "
        "classes as there are."
    )
    return [
        _cases(recognizers, faces, "vote", SALIENT, what.format("the vote")),
        _cases(recognizers, faces, "knn", SALIENT // 2, what.format("the k-NN vote alone")),
        *(block for name, recognizer in recognizers.items() for block in _pair(recognizer, name, systems[name])),
    ]


def _cases(recognizers: Mapping[str, Recognizer], faces: FaceDataset, voter: str, columns: int, caption: str) -> Markup:
    cases = surest_cases(recognizers, faces, voter=voter, columns=columns)
    return figure(lambda: plot_cases(cases, columns=columns, signed=True), caption, form="png")


def _pair(recognizer: Recognizer, name: str, answers: Answers) -> list[Markup]:
    """Why two faces of different classes are alike to the recogniser: the most alike of those on the map."""
    rows = _drawn(len(answers.codes))
    codes, embeddings = answers.codes[rows], answers.embeddings[rows]
    alike = np.where(codes[:, None] != codes[None], embeddings @ embeddings.T, -np.inf)
    a, b = np.unravel_index(alike.argmax(), alike.shape)
    if not np.isfinite(alike[a, b]):
        return []
    images = answers.faces.images[rows[[a, b]]]
    pair = explain_similarity(recognizer, images[:1], images[1:])
    (one, other), classes = (
        (Places(answers.faces).name(answers.faces.ids[rows[each]]) for each in (a, b)),
        answers.classes,
    )
    whose = f" to {name}" if name else ""
    caption = (
        f"The two faces of different classes that are most alike{whose}: {one}, {classes[codes[a]]}, above "
        f"{other}, {classes[codes[b]]}. Violet: hidden, it makes them less alike; orange: more."
    )
    return [figure(lambda: plot_similarity_saliency(pair, signed=True), caption, form="png")]


def _drawn(count: int) -> NDArray[np.int64]:
    """Up to :data:`MAPPED` rows, in order."""
    return np.sort(np.random.default_rng(0).permutation(count)[:MAPPED])


def _reliability(answers: Answers, name: str) -> Markup:
    proba = answers.probabilities["vote"]
    curve = reliability_curve(proba.max(axis=1), most_probable(proba) == answers.codes)
    whose = f"The vote of {name}" if name else "The vote"
    caption = f"{whose}: where a bar ends below its mark it is too sure, above it not sure enough."
    return figure(lambda: plot_reliability(curve), caption)
