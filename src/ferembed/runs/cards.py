"""The model card of a trained network: what made it, what it can do, and what it is not for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import yaml

from ferembed.data.dataset import FaceDataset
from ferembed.evaluation import ClassMetrics, Metrics, evaluate_probabilities
from ferembed.evaluation.wording import voter_name
from ferembed.recognizer import VOTE, Recognizer
from ferembed.runs.assessment import FOLDS, Answers, answer, cross_fitted, judge
from ferembed.training import Recipe, recipe_names

FIGURES = {"accuracy": 1, "balanced_accuracy": 1, "macro_f1": 1, "nll": 3, "ece": 3}
HEADINGS = ("accuracy", "balanced accuracy", "macro F1", "NLL", "ECE")

GALLERY = """\
The gallery holds {count:,} faces as vectors of {length} numbers with their labels, row numbers and the SHA-1 of their \
pixels, by which copies are told. It holds no pixels."""

USE = """\
## What it is for

Teaching, research baselines, searching collections of photographs by expression, and as a start for faces of your own
(`enroll`, or the recipe field `start`).

It is not for judging inner states, health, truthfulness or fitness, nor for any decision about a person, be it in
recruitment, policing, schools or insurance. A face shows an expression, not a feeling, and the same expression means
different things in different people and places.

## Known limits and biases

- One cropped face an image, about as FER2013 crops: from the forehead to the chin. It does not look for a face, nor say
  that there is none: other pictures are answered, too, and wrongly.
- The labels come from web searches of 2013. By the votes of FER+ about a third of them are doubtful or wrong, and the
  figures above cannot say how good an answer is where the label is not.
- Rare classes are missed more often than frequent ones: see the recall of each.
- Web photographs over-represent posed, Western, adult, frontal faces of public people. Accuracy by skin tone, age and
  sex was not measured, since FER2013 does not record them: expect it to differ.
- Many photographs of the gallery stand in the validation split, too; the columns without copies are the better guide.

## Licence

Weights, vectors and code: MIT. The photographs are not included; FER2013's own terms apply to them. FER+ votes: MIT."""


def card_text(title: str, recognizers: Mapping[str, Recognizer], faces: FaceDataset, data: str = "fer2013.csv") -> str:
    """The card of a network, in Markdown, with its figures measured now.

    Parameters
    ----------
    title : str
        The network's name.
    recognizers : mapping of str to Recognizer
        The recognisers made of it, by the names or paths under which ``ferembed evaluate`` finds them. All are judged;
        what made the network is read from the first.
    faces : FaceDataset
        The split that selected and calibrated, with votes where a recogniser names what annotators saw.
    data : str
        How the data file is named in the card's commands.
    """
    first = next(iter(recognizers.values()))
    parts = [f"# {title}", _what_it_is(recognizers), "## What made it", _made_by(first, data), "## Figures"]
    for name, recognizer in recognizers.items():
        parts.extend(_judged(name, recognizer, faces, data))
    recipe = yaml.safe_dump(first.info.get("recipe", {}), sort_keys=False)
    return "\n\n".join([*parts, USE, "## The recipe in full", f"```yaml\n{recipe}```"]) + "\n"


def _what_it_is(recognizers: Mapping[str, Recognizer]) -> str:
    encoder = next(iter(recognizers.values())).engine.encoder
    millions = sum(parameter.numel() for parameter in encoder.parameters()) / 1e6
    colour = "grey" if encoder.channels == 1 else "colour"
    lines = [
        f"A {encoder.config['backbone']} of {millions:.1f} million parameters, which makes a unit vector of "
        f"{encoder.embedding_dim} numbers of a {colour} face of {encoder.image_size} x {encoder.image_size} pixels. "
        "The gallery's nearest faces and a softmax head vote on the expression; votes are calibrated probabilities."
    ]
    for name, recognizer in recognizers.items():
        gallery = GALLERY.format(count=len(recognizer.gallery_ids), length=encoder.embedding_dim)
        lines.append(f"- **`{name}`** names {', '.join(recognizer.classes_)}. {gallery}")
    return "\n\n".join([lines[0], "\n".join(lines[1:])])


def _made_by(recognizer: Recognizer, data: str) -> str:
    info = recognizer.info
    recipe = Recipe.model_validate(info["recipe"])
    name = next((each for each in recipe_names() if not Recipe.named(each).differences(recipe)), "recipe.yaml")
    commands = [
        f"ferembed train {data} --recipe {teacher.split('/')[-1]} --out {teacher}" for teacher in recipe.teachers
    ]
    commands.append(f"ferembed train {data} --recipe {name} --out runs/{name}")
    rows = {
        "recipe": f"`{name}`, printed in full at the end" if name in recipe_names() else "printed in full at the end",
        "seed": recipe.seed,
        "epochs": recipe.epochs,
        "minutes": (f"{info['seconds'] / 60:.0f}" if "seconds" in info else "unknown")
        + (", without those of its teachers" if recipe.teachers else ""),
        "machine": info.get("machine", "unknown"),
        "commit": info.get("commit") or "unknown",
        "versions": ", ".join(f"{package} {number}" for package, number in info.get("versions", {}).items()),
        **{f"{split} data, SHA-256": f"`{digest}`" for split, digest in info.get("data", {}).items()},
    }
    table = "\n".join(["| | |", "|---|---|", *(f"| {key} | {value} |" for key, value in rows.items())])
    script = "\n".join(commands)
    return (
        f"```sh\n{script}\n```\n\n{table}\n\n"
        "The train split trains. The validation split chose the epoch, k, the calibration, the weights of the vote "
        "and, where several were tried, the recipe. No claim is made about the test split. The checksums are of "
        "pixels, labels and class names."
    )


def _judged(name: str, recognizer: Recognizer, faces: FaceDataset, data: str) -> Iterator[str]:
    single = answer(recognizer, faces)
    by_views = {"single": single, "flip": answer(recognizer, faces, views="flip")}
    evaluations = {views: judge(recognizer, answers, resamples=0) for views, answers in by_views.items()}
    split, alone = evaluations["single"].split, int(single.fresh.sum())
    command = f"ferembed evaluate {name} {data} --split {split}"
    yield f"### `{name}` on {split}: {len(single.codes):,} images, {alone:,} without a copy in the gallery"
    yield (
        f"`{command}` and, for the mirror image averaged with the face, `{command} --views flip`. The same faces "
        "calibrated the voters, which flatters accuracy and calibration."
    )
    yield _table(
        (views, images, voter_name(voter), metrics)
        for views, evaluation in evaluations.items()
        for images, group in (("all", evaluation.all_images), ("without copies", evaluation.without_copies))
        for voter, metrics in group.items()
    )
    yield (
        f"`python benchmarks/cross_fitted.py {name} {data}`: each of {FOLDS} parts is asked of voters that the other "
        "parts calibrated and weighed; the epoch alone is chosen on all."
    )
    yield _table(row for views, answers in by_views.items() for row in cross_fitted_figures(recognizer, answers, views))
    yield _recalls(evaluations["single"].all_images[VOTE].per_class)


def _recalls(classes: Mapping[str, ClassMetrics]) -> str:
    rows = {
        "": list(classes),
        "recall, %": [f"{100 * (each.recall or 0):.0f}" for each in classes.values()],
        "images": [f"{each.support:,}" for each in classes.values()],
    }
    heading, *others = [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()]
    table = "\n".join([heading, "|---|" + "---:|" * len(classes), *others])
    return f"Recall of each class by the vote, one view:\n\n{table}"


def cross_fitted_figures(
    recognizer: Recognizer, answers: Answers, views: str, **division: int
) -> Iterator[tuple[str, str, str, Metrics]]:
    """Views, images, voter and its metrics, row by row, of voters that other faces calibrated.

    The division is that of :func:`~ferembed.runs.assessment.cross_fitted`.
    """
    names = np.array(answers.classes)[answers.codes]
    said = cross_fitted(recognizer, answers, **division)
    for images, rows in (("all", np.ones(len(names), bool)), ("without copies", answers.fresh)):
        for voter, proba in said.items():
            metrics = evaluate_probabilities(names[rows], proba[rows], answers.classes, resamples=0)
            yield views, images, voter_name(voter), metrics


def _table(rows: Iterator[tuple[str, str, str, Metrics]]) -> str:
    lines = ["| views | images | voter | " + " | ".join(HEADINGS) + " |", "|---|---|---|" + "---:|" * len(HEADINGS)]
    lines += [f"| {' | '.join(said)} | {' | '.join(figures(metrics))} |" for *said, metrics in rows]
    return "\n".join(lines)


def figures(metrics: Metrics) -> list[str]:
    """Accuracies in percent, losses as they are."""
    values: dict[str, Any] = {name: getattr(metrics, name) for name in FIGURES}
    return [
        f"{100 * value:.{FIGURES[name]}f}" if FIGURES[name] == 1 else f"{value:.3f}" for name, value in values.items()
    ]
