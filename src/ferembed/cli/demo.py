"""``ferembed demo``: the main job on drawn faces, in about a minute."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

Out = Annotated[Path, typer.Option("--out", help="Folder for the run and its pictures.")]


def command(out: Out = Path("demo")) -> None:
    """Train on drawn faces, judge the recogniser on the test split, and write pictures."""
    from ferembed.assessment import evaluate
    from ferembed.cli.tables import metrics_table, show
    from ferembed.data import drawn_faces
    from ferembed.evaluation import plot_confusion, plot_reliability, reliability_curve
    from ferembed.evaluation.sheets import plot_faces, save_figure
    from ferembed.pipeline import train
    from ferembed.training import Recipe

    faces = drawn_faces(3000, imbalance=4.0, label_noise=0.05)
    show(f"{faces}")
    recognizer = train(Recipe.named("drawn"), faces.split("train"), faces.split("validation"), out / "run")
    test = faces.split("test")
    evaluation = evaluate(recognizer, test)
    show(metrics_table(evaluation))

    probabilities = recognizer.predict_proba(test.images)
    names = recognizer.classes_
    truth, predicted = names[test.labels], names[probabilities.argmax(axis=1)]
    captions = [f"{answer}\n(is {name})" for answer, name in zip(predicted, truth, strict=True)]
    pictures: dict[str, Any] = {
        "confusion.png": plot_confusion(truth, predicted, names.tolist()),
        "reliability.png": plot_reliability(reliability_curve(probabilities.max(axis=1), truth == predicted)),
        "faces.png": plot_faces(test.images[:24], captions[:24]),
    }
    for name, picture in pictures.items():
        save_figure(picture, out / name)
        show(f"wrote {out / name}")
