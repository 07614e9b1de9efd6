"""``ferembed demo``: the shipped recogniser on a portrait and on faces of FER2013, or the main job on drawn faces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from numpy.typing import NDArray
    from PIL.Image import Image
    from rich.table import Table

    from ferembed.data import FaceDataset
    from ferembed.explain import Saliency
    from ferembed.recognizer import Recognizer
    from ferembed.recognizer.inputs import Faces
    from ferembed.runs.assessment import Evaluation

PORTRAIT, FACE = "portrait.jpg", (172, 72, 279, 179)
"""Eileen Collins, astronaut (NASA, public domain), and her face: left, upper, right and lower edge in pixels."""
ASKED, SEED, NEAR = 24, 0, 5
"""How many faces of FER2013 are asked about, the seed that draws them, and how many gallery faces stand by each."""
EPOCHS = 30
"""Of --train: the recipe's 20 are meant for more than the 2,000 faces that `drawn` names."""

Out = Annotated[Path, typer.Option("--out", help="Folder for the pictures, and for the run of --train.")]
Data = Annotated[Path, typer.Option("--data", help="FER2013, some of whose validation faces are shown if it is there.")]
Train = Annotated[bool, typer.Option("--train", help="Train a recogniser on drawn faces instead, which takes minutes.")]


class Answers(NamedTuple):
    """What a recogniser says of faces."""

    names: NDArray[np.str_]
    """The most probable class of each, shape (n,)."""
    probabilities: NDArray[np.float64]
    """Of every class, shape (n, c)."""
    near: NDArray[np.str_]
    """Labels of the nearest gallery faces, nearest first; shape (n, k)."""


def command(out: Out = Path("demo"), data: Data = Path("data/fer2013.csv"), train: Train = False) -> None:
    """Ask the shipped recogniser about a portrait and some faces of FER2013; with --train, train one on drawn faces."""
    from ferembed.cli.console import show

    if train:
        show("A recogniser of drawn faces, trained now:")
        _train_on_drawn_faces(out)
    else:
        _ask_shipped(data, out)


def _ask_shipped(data: Path, out: Path) -> None:
    from ferembed.cli.console import show
    from ferembed.recognizer.shipped import load

    recognizer = load()
    _ask_about_portrait(recognizer, out)
    if data.is_file():
        _ask_about_fer2013(recognizer, data, out)
    else:
        show(f"{data} is not there: with --data FER2013.csv some of its validation faces are shown, too.")


def _ask_about_portrait(recognizer: Recognizer, out: Path) -> None:
    from PIL import Image

    from ferembed.cli.console import show
    from ferembed.explain import explain_class

    with resources.files("ferembed.cli").joinpath(PORTRAIT).open("rb") as file, Image.open(file) as portrait:
        portrait.load()
    face = portrait.crop(FACE)
    answers = _ask(recognizer, face)
    show(_answers_table("The shipped recogniser on a portrait", ["portrait"], answers))
    pictures = {
        "portrait.png": _plot_portrait(portrait, face, recognizer.classes_.tolist(), answers.probabilities[0]),
        "occlusion.png": _plot_occlusion(explain_class(recognizer, face, "occlusion")),
    }
    _save(pictures, out)


def _ask_about_fer2013(recognizer: Recognizer, data: Path, out: Path) -> None:
    import numpy as np

    from ferembed.cli.console import show

    faces = _some_faces(recognizer, data)
    if not len(faces):
        show(f"{data} has no validation face without a copy in the gallery.")
        return
    answers = _ask(recognizer, faces.images)
    truth = [faces.classes[label] for label in faces.labels]
    title = f"The shipped recogniser on {len(faces)} validation faces of {data}"
    show(_answers_table(title, [f"row {row}" for row in faces.ids], answers, truth))
    show(f"{np.sum(answers.names == np.array(truth))} of {len(faces)} as labelled. {_what_they_are(recognizer, faces)}")
    _save({"fer2013.png": _plot_answers(faces, answers, truth)}, out)


def _some_faces(recognizer: Recognizer, data: Path) -> FaceDataset:
    """Validation faces without a copy in the gallery, drawn by a fixed seed; in the order of the file."""
    import numpy as np

    from ferembed.data import load_dataset

    faces = load_dataset(data).split("validation").without_blank()
    faces = faces.subset(~recognizer.copies_in_gallery(faces))
    drawn = np.random.default_rng(SEED).permutation(len(faces))[:ASKED]
    return faces.subset(np.sort(drawn))


def _what_they_are(recognizer: Recognizer, faces: FaceDataset) -> str:
    calibrated = int(recognizer.calibrated_on(faces).sum())
    sentence = "They were drawn by a fixed seed from those without a copy in the gallery"
    return f"{sentence}; {calibrated} of them helped to calibrate the vote." if calibrated else f"{sentence}."


def _ask(recognizer: Recognizer, faces: Faces) -> Answers:
    from ferembed.probability import most_probable

    probabilities = recognizer.predict_proba(faces)
    names = recognizer.classes_[most_probable(probabilities)]
    return Answers(names, probabilities, recognizer.neighbors(faces, k=NEAR).labels)


def _answers_table(title: str, faces: Sequence[str], answers: Answers, truth: Sequence[str] | None = None) -> Table:
    """One row a face; true labels where they are known."""
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    table.add_column("face")
    table.add_column("answer")
    table.add_column("probability", justify="right")
    if truth is not None:
        table.add_column("true label")
    table.add_column("nearest gallery faces")
    for row, (face, name) in enumerate(zip(faces, answers.names, strict=True)):
        known = [] if truth is None else [truth[row]]
        probability = f"{answers.probabilities[row].max():.0%}"
        table.add_row(face, name, probability, *known, ", ".join(answers.near[row]))
    return table


def _train_on_drawn_faces(out: Path) -> None:
    from ferembed.cli.console import show
    from ferembed.data import load_dataset
    from ferembed.data.readers.drawn import DRAWN
    from ferembed.runs.assessment import evaluate
    from ferembed.runs.pipeline import train
    from ferembed.training import Recipe

    faces = load_dataset(DRAWN)
    show(f"{faces}")
    recipe = Recipe.named("drawn").override({"epochs": EPOCHS})
    recognizer = train(recipe, faces.split("train"), faces.split("validation"), out / "run")
    test = faces.split("test")
    _show_and_draw(recognizer, evaluate(recognizer, test), test, out)
    show(f"see more of it: `ferembed report {out / 'run'} {DRAWN} --split test`")


def _show_and_draw(recognizer: Recognizer, evaluation: Evaluation, faces: FaceDataset, out: Path) -> None:
    import numpy as np

    from ferembed.cli.console import show
    from ferembed.cli.tables import metrics_table
    from ferembed.evaluation import plot_confusion, plot_reliability, reliability_curve
    from ferembed.evaluation.sheets import plot_faces
    from ferembed.probability import most_probable

    show(metrics_table(evaluation))
    probabilities = recognizer.predict_proba(faces.images)
    names = recognizer.classes_
    truth, predicted = names[faces.labels], names[most_probable(probabilities)]
    captions = [f"{answer}\n(is {name})" for answer, name in zip(predicted[:24], truth, strict=False)]
    pictures = {
        "confusion.png": plot_confusion(truth, predicted, names.tolist()),
        "reliability.png": plot_reliability(reliability_curve(probabilities.max(axis=1), truth == predicted)),
        "faces.png": plot_faces(np.asarray(faces.images[:24]), captions),
    }
    _save(pictures, out)


def _plot_portrait(portrait: Image, face: Image, classes: list[str], proba: NDArray[np.float64]) -> Figure:
    from matplotlib.patches import Rectangle

    from ferembed.evaluation.plots.canvas import class_colours, new_figure

    figure = new_figure((9, 3.2))
    whole, cut, bars = figure.subplots(1, 3, width_ratios=[1, 1, 1.4])
    whole.imshow(portrait)
    left, upper, right, lower = FACE
    whole.add_patch(Rectangle((left, upper), right - left, lower - upper, fill=False, edgecolor="white", linewidth=2))
    cut.imshow(face)
    for axes in (whole, cut):
        axes.set_axis_off()
    bars.barh(classes, proba, color=class_colours(classes))
    bars.bar_label(bars.containers[0], [f"{p:.0%}" for p in proba], padding=3)
    bars.invert_yaxis()
    bars.set(xlim=(0, 1.14), xticks=[0, 0.5, 1], xlabel="probability by the vote")
    bars.spines[["top", "right"]].set_visible(False)
    return figure


def _plot_occlusion(saliency: Saliency) -> Axes:
    from ferembed.evaluation.plots.canvas import new_figure
    from ferembed.explain import plot_saliency

    axes = plot_saliency(saliency, ax=new_figure((6.6, 2.7)).add_subplot())
    axes.set_xlabel(f"The lighter a place, the less probable “{saliency.target[0]}” where it is covered.", fontsize=9)
    return axes


def _plot_answers(faces: FaceDataset, answers: Answers, truth: Sequence[str]) -> Figure | SubFigure:
    """Faces, the answer above each, wrong ones marked, and the labels of its nearest gallery faces beneath."""
    import numpy as np

    from ferembed.evaluation.plots.canvas import ORANGE
    from ferembed.evaluation.sheets import plot_faces

    wrong = answers.names != np.array(truth)
    captions = [
        f"✗ {name} {proba.max():.0%}\nlabelled {label}" if missed else f"\n{name} {proba.max():.0%}"
        for missed, name, proba, label in zip(wrong, answers.names, answers.probabilities, truth, strict=True)
    ]
    figure = plot_faces(np.asarray(faces.images), captions)
    for axes, missed, near in zip(figure.axes, wrong, answers.near, strict=False):
        axes.text(0.5, -0.04, _counted(near), transform=axes.transAxes, ha="center", va="top", fontsize=6.5)
        if missed:
            axes.title.set_color(ORANGE)
    figure.suptitle(f"The answer, and the labels of the {answers.near.shape[1]} nearest gallery faces", fontsize=10)
    return figure


def _counted(labels: Sequence[str]) -> str:
    """Each label and how often it stands there, a line each, the most frequent first.

    >>> print(_counted(["sad", "happy", "happy"]))
    2 happy
    1 sad
    """
    return "\n".join(f"{count} {label}" for label, count in Counter(labels).most_common())


def _save(pictures: dict[str, Any], out: Path) -> None:
    from ferembed.cli.console import show
    from ferembed.evaluation.sheets import save_figure

    for name, picture in pictures.items():
        save_figure(picture, out / name)
        show(f"wrote {out / name}")
