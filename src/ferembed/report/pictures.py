"""Pictures of a report, each drawn for light and dark pages."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from markupsafe import Markup

from ferembed.assessment import Answers
from ferembed.evaluation import (
    Metrics,
    plot_classes,
    plot_embedding,
    plot_reliability,
    plot_risk_coverage,
    plot_training,
    project_embedding,
    reliability_curve,
    risk_coverage_curve,
)
from ferembed.evaluation.page import figure, note, row
from ferembed.evaluation.plots.training import METRICS
from ferembed.evaluation.selective import RiskCoverageCurve
from ferembed.evaluation.wording import voter_name
from ferembed.explain.plots import plot_cases, surest_cases
from ferembed.models.weights import shipped_names
from ferembed.recognizer import Recognizer
from ferembed.ties import most_probable

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


def embedding_map(answers: Answers, seed: int = 0) -> list[Markup]:
    """The embedding on a plane by t-SNE, coloured by the true class, with misclassified faces set in."""
    count = len(answers.codes)
    if count < 4:
        return [note("A map needs four faces or more.")]
    rows = np.sort(np.random.default_rng(seed).permutation(count)[:MAPPED])
    points = project_embedding(answers.embeddings[rows], seed=seed)
    names = np.array(answers.classes)
    truth, predicted = names[answers.codes[rows]], names[answers.predicted()[rows]]
    images = answers.faces.images[rows]
    shown = f"all {count:,}" if len(rows) == count else f"{len(rows):,} of the {count:,}, drawn at random"
    caption = (
        f"Faces ({shown}) by t-SNE: near faces are alike to the recogniser; distances between far groups mean nothing. "
        "Ringed: named wrongly by the vote; set in: some of these, true > predicted."
    )
    return [figure(lambda: plot_embedding(points, truth, answers.classes, predicted, images), caption, form="png")]


def training_curves(run: str | os.PathLike[str]) -> list[Markup]:
    """What the run has logged, epoch by epoch."""
    folder = Path(run)
    if run in shipped_names() or not (folder / METRICS).is_file():
        return [note(f"{folder.name} has kept no log of its training.")]
    return [figure(lambda: plot_training(folder), f"What {folder.name} logged after each epoch.")]


def saliency(recognizers: Mapping[str, Recognizer], answers: Answers) -> list[Markup]:
    """Occlusion maps of the surest right and wrong cases of each system."""
    proba = answers.probabilities["vote"]
    sure, right = proba.max(axis=1), most_probable(proba) == answers.codes
    keep = [
        rows[np.argsort(-sure[rows], kind="stable")[:SALIENT]]
        for code in range(len(answers.classes))
        for kind in (right, ~right)
        if (rows := np.flatnonzero((answers.codes == code) & kind)).size
    ]
    faces = answers.faces.subset(np.concatenate(keep))
    caption = (
        "Faces, how much the probability of the predicted class falls where a patch hides them, and both. "
        "Upper row: surest right cases; lower row: surest mistakes, each of as many classes as there are."
    )
    cases = surest_cases(recognizers, faces, columns=SALIENT)
    return [figure(lambda: plot_cases(cases, columns=SALIENT), caption, form="png")]


def _reliability(answers: Answers, name: str) -> Markup:
    proba = answers.probabilities["vote"]
    curve = reliability_curve(proba.max(axis=1), most_probable(proba) == answers.codes)
    whose = f"The vote of {name}" if name else "The vote"
    caption = f"{whose}: below the diagonal it is too sure, above it not sure enough."
    return figure(lambda: plot_reliability(curve), caption)
