"""``ferembed demo``: the main job on drawn faces, in about a minute."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[Path, typer.Option("--out", help="Folder for the run and its pictures.")]


def command(out: Out = Path("demo")) -> None:
    """Train on drawn faces, judge the recogniser on the test split, and write pictures."""
    from ferembed.cli.tables import metrics_table, show
    from ferembed.data import drawn_faces
    from ferembed.evaluation import plot_confusion, plot_reliability
    from ferembed.evaluation.sheets import plot_faces, save_figure
    from ferembed.pipeline import evaluate, train
    from ferembed.training import Recipe

    faces = drawn_faces(3000, imbalance=4.0, label_noise=0.05)
    show(f"{faces}")
    recognizer = train(Recipe.named("drawn"), faces.split("train"), faces.split("validation"), out / "run")
    test = faces.split("test")
    evaluation = evaluate(recognizer, test)
    show(metrics_table(evaluation))

    probabilities = recognizer.predict_proba(test.images)
    predicted = probabilities.argmax(axis=1)
    classes = recognizer.classes_.tolist()
    names = [f"{classes[p]}\n(is {classes[t]})" for p, t in zip(predicted, test.labels, strict=True)]
    pictures = {
        "confusion.png": plot_confusion(test.labels, predicted, classes),
        "reliability.png": plot_reliability(test.labels, probabilities),
        "faces.png": plot_faces(test.images[:24], names[:24]),
    }
    for name, figure in pictures.items():
        save_figure(figure, out / name)
        show(f"wrote {out / name}")
