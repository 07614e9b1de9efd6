"""``ferembed demo``: the shipped recogniser on a photo and on FER2013, then the main job on drawn faces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ferembed.assessment import Evaluation
    from ferembed.data import FaceDataset
    from ferembed.recognizer import Recognizer

PHOTO, FACE = "grace_hopper.jpg", (155, 115, 375, 335)
"""A portrait that matplotlib carries, and its face: left, upper, right and lower edge in pixels."""

Out = Annotated[Path, typer.Option("--out", help="Folder for the run and its pictures.")]
Data = Annotated[Path, typer.Option("--data", help="FER2013, whose validation split is judged if it is there.")]


def command(out: Out = Path("demo"), data: Data = Path("data/fer2013.csv")) -> None:
    """Ask the shipped recogniser about a photo and FER2013, then train one on drawn faces in about a minute."""
    from ferembed.cli.tables import show
    from ferembed.shipped import load

    recognizer = load()
    show("The shipped recogniser, on a photo:")
    _ask_about_photo(recognizer, out)
    if data.is_file():
        show(f"The shipped recogniser, on the validation split of {data}:")
        _judge_fer2013(recognizer, data, out)
    else:
        show(f"{data} is not there: with --data FER2013.csv its validation split is judged here, too.")
    show("A recogniser of drawn faces, trained now:")
    _train_on_drawn_faces(out)


def _ask_about_photo(recognizer: Recognizer, out: Path) -> None:
    import numpy as np
    from matplotlib.cbook import get_sample_data
    from PIL import Image

    from ferembed.cli.tables import show

    with Image.open(get_sample_data(PHOTO, asfileobj=False)) as photo:
        picture, face = np.asarray(photo), photo.crop(FACE)
    proba = recognizer.predict_proba(face)[0]
    near = recognizer.neighbors(face)
    show(f"{recognizer.predict(face)[0]}, {proba.max():.0%}; its nearest faces: {', '.join(near.labels[0])}")
    _save({"photo.png": _plot_answer(picture, np.asarray(face), recognizer.classes_.tolist(), proba)}, out)


def _judge_fer2013(recognizer: Recognizer, data: Path, out: Path) -> None:
    from ferembed.assessment import evaluate
    from ferembed.data import load_dataset

    faces = load_dataset(data).split("validation")
    _show_and_draw(recognizer, evaluate(recognizer, faces), faces, out, "fer2013-")


def _train_on_drawn_faces(out: Path) -> None:
    from ferembed.assessment import evaluate
    from ferembed.cli.tables import show
    from ferembed.data import drawn_faces
    from ferembed.pipeline import train
    from ferembed.training import Recipe

    faces = drawn_faces(3000, imbalance=4.0, label_noise=0.05)
    show(f"{faces}")
    recognizer = train(Recipe.named("drawn"), faces.split("train"), faces.split("validation"), out / "run")
    test = faces.split("test")
    _show_and_draw(recognizer, evaluate(recognizer, test), test, out, "")


def _show_and_draw(recognizer: Recognizer, evaluation: Evaluation, faces: FaceDataset, out: Path, prefix: str) -> None:
    import numpy as np

    from ferembed.cli.tables import metrics_table, show
    from ferembed.evaluation import plot_confusion, plot_reliability, reliability_curve
    from ferembed.evaluation.sheets import plot_faces
    from ferembed.ties import most_probable

    show(metrics_table(evaluation))
    probabilities = recognizer.predict_proba(faces.images)
    names = recognizer.classes_
    truth, predicted = names[faces.labels], names[most_probable(probabilities)]
    captions = [f"{answer}\n(is {name})" for answer, name in zip(predicted[:24], truth, strict=False)]
    pictures = {
        f"{prefix}confusion.png": plot_confusion(truth, predicted, names.tolist()),
        f"{prefix}reliability.png": plot_reliability(reliability_curve(probabilities.max(axis=1), truth == predicted)),
        f"{prefix}faces.png": plot_faces(np.asarray(faces.images[:24]), captions),
    }
    _save(pictures, out)


def _plot_answer(picture: Any, face: Any, classes: list[str], proba: Any) -> Any:
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    from ferembed.labels import COLOURS

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    whole, cut, bars = figure.subplots(1, 3, width_ratios=[1, 1, 1.4])
    whole.imshow(picture)
    left, upper, right, lower = FACE
    whole.add_patch(Rectangle((left, upper), right - left, lower - upper, fill=False, edgecolor="white", linewidth=2))
    cut.imshow(face)
    for axes in (whole, cut):
        axes.set_axis_off()
    bars.barh(classes, proba, color=[COLOURS[name] for name in classes])
    bars.bar_label(bars.containers[0], [f"{p:.0%}" for p in proba], padding=3)
    bars.invert_yaxis()
    bars.set(xlim=(0, 1.12), xlabel="probability by the vote")
    bars.spines[["top", "right"]].set_visible(False)
    return figure


def _save(pictures: dict[str, Any], out: Path) -> None:
    from ferembed.cli.tables import show
    from ferembed.evaluation.sheets import save_figure

    for name, picture in pictures.items():
        save_figure(picture, out / name)
        show(f"wrote {out / name}")
