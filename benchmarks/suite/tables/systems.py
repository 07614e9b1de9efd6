"""Every network with every head, and the floor: accuracy, balance and calibration, with and without copies."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from benchmarks.suite import trainings
from benchmarks.suite.answers import calibrated, head_answers
from benchmarks.suite.bench import Bench, digest
from benchmarks.suite.floors import Gradients, majority
from benchmarks.suite.kept import Gallery, selected_knn
from benchmarks.suite.pictures import PANELS, Points, places
from benchmarks.suite.records import Result, Row
from benchmarks.suite.splits import Asked, JudgedSplit, training_faces
from benchmarks.suite.systems import NETWORKS, OBJECTIVES
from benchmarks.suite.tables.common import HEADS, Results, cells, claim, counted, decided, header, percent, points

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Systems"
FLOORS = {"majority": "most frequent class", "hog-knn": "HOG + PCA + k-NN"}
FIGURES = ("accuracy", "balanced_accuracy", "macro_f1", "nll", "ece")
STUDENTS = {
    ("baseline", "softmax"): "67.5",
    ("resnet18", "softmax"): "43.4",
    ("vgg16", "softmax"): "68.3",
    ("resnet50", "softmax"): "68.5",
    ("resnet50", "svm"): "69.1",
    ("seresnet50", "softmax"): "62.4",
    ("seresnet50", "svm"): "63.5",
}
"""Accuracies in percent that the student project reports, of networks trained by cross-entropy."""


def rows(bench: Bench) -> list[Row]:
    """The floors, then the networks from the cheapest to the dearest, then what was trained elsewhere."""
    floor = {"data": bench.faces.fingerprint}
    found = [
        Row("systems", "majority", floor, partial(_judge, bench, _majority)),
        Row("systems", "hog-knn", floor, partial(_judge, bench, _gradients)),
    ]
    for network in trainings.rows(bench):
        for head in network.config["heads"]:
            config = {"answers": digest(network.config), "head": head}
            found.append(Row("systems", f"{network.name}.{head}", config, partial(_head, bench, network, head)))
    return found


def _head(bench: Bench, network: Row, head: str) -> Result:
    return JudgedSplit.judge(head_answers(bench.answers(network), head, bench.halves), bench.classes)


def _judge(bench: Bench, answers: Callable[[Bench], Asked]) -> Result:
    return JudgedSplit.judge(answers(bench), bench.classes)


def _majority(bench: Bench) -> Asked:
    codes, classes = training_faces(bench.train).labels, len(bench.classes)
    return [(half.judged, majority(codes, classes, len(half.judged))) for half in bench.halves]


def _gradients(bench: Bench) -> Asked:
    train = training_faces(bench.train)
    look = Gradients(np.asarray(train.images))
    gallery, vectors = Gallery(look.fitted, train.labels), look(np.asarray(bench.asked.images))
    answers = []
    for half in bench.halves:
        proba = selected_knn(gallery, vectors, half).predict_proba(vectors)
        answers.append((half.judged, calibrated(proba, half)[half.asked]))
    return answers


def named(name: str) -> tuple[str, str, str]:
    """Network, what it learnt and head of a row, in words."""
    if name in FLOORS:
        return FLOORS[name], "", ""
    network, _, head = name.rpartition(".")
    if network == trainings.SHIPPED:
        return "small, as it ships", "labels, votes, teachers", HEADS[head]
    backbone, objective = split_name(network)
    if objective not in OBJECTIVES:
        return network, "elsewhere", ""
    own = "linear SVM in the network" if objective == "hinge" and head == "softmax" else HEADS[head]
    return backbone, OBJECTIVES[objective].said, own


def split_name(training: str) -> tuple[str, str]:
    """Network and objective of a training's name; an empty objective where it is another's."""
    backbones = [each for each in NETWORKS if training.startswith(f"{each}-")]
    network = max(backbones, key=len, default=training)
    return network, training.removeprefix(f"{network}-") if backbones else ""


def figure_cells(result: Result | None) -> list[str]:
    """The figures over all images, then those without copies."""
    if result is None:
        return [""] * (2 * len(FIGURES))
    written = []
    for where in ("all_images", "without_copies"):
        figures = result[where]
        low, high = figures["accuracy_interval"]
        written += [f"{percent(figures['accuracy'])} ± {percent((high - low) / 2)}"]
        written += [percent(figures[name]) for name in FIGURES[1:3]]
        written += [f"{figures['nll']:.3f}", f"{figures['ece']:.3f}"]
    return written


COLUMNS = ("accuracy", "balanced", "macro F1", "NLL", "ECE", "accuracy*", "balanced*", "macro F1*", "NLL*", "ECE*")
STARRED = (
    "Columns with a star are over the images without a copy in the training split. Accuracies in percent, with half "
    "the width of their 95% interval over images."
)


def lines(bench: Bench, rows: list[Row], results: Results) -> list[str]:
    said = [
        f"Every network learnt for {counted(bench.budget.epochs, 'epoch')}{_fewer(bench)}, one seed, with the "
        f"optimiser and the augmentation of the recipe `{bench.budget.recipe}`; one look at each image. Each half of "
        "the validation split chooses k and temperature, calibrates and weighs the vote for the other, which is "
        "judged; the epoch was chosen on the whole of it (by k-NN accuracy), of every network alike. "
        f"{STARRED} Seconds an epoch are those of the processor on one thread, from the table of costs. The student "
        "project's figures are over 5,512 aligned images of both test splits, on which its members were chosen, and "
        "its ResNet50 and SENet50 began with weights learnt from other faces: they stand here to be compared with, "
        "not beaten.",
        "",
        *header(
            ("network", "learnt", "head", *COLUMNS, "parameters", "epochs", "seconds an epoch", "student project"),
            len(COLUMNS) + 4,
        ),
    ]
    for row in rows:
        network, _, head = row.name.rpartition(".")
        said.append(
            cells(
                [
                    *named(row.name),
                    *figure_cells(results.get(row.path)),
                    *_size(results, network),
                    STUDENTS.get((_whole(network), head), ""),
                ]
            )
        )
    return [*said, "", _claim(bench, results)]


def _fewer(bench: Bench) -> str:
    """The networks that learn for fewer epochs, in words."""
    dearest, epochs = bench.budget.dearest, counted(bench.budget.fewer_epochs, "epoch")
    return f" ({' and '.join(dearest)}, whose epochs take the longest, for {epochs})" if dearest else ""


def _size(results: Results, network: str) -> tuple[str, str, str]:
    """Parameters, epochs and seconds an epoch, as far as they are known."""
    trained = results.get(f"{trainings.TABLE}/{network}", {})
    cost = results.get(f"cost/{network}", {}).get("an_epoch")
    return (
        f"{trained['parameters'] / 1e6:.2f} M" if "parameters" in trained else "",
        str(trained.get("epochs", "")),
        f"{cost:.0f}" if cost else "",
    )


def _whole(network: str) -> str:
    """The backbone of a network that learnt by cross-entropy alone, whatever its width."""
    return network.removesuffix("-ce").removesuffix("-half") if network.endswith("-ce") else ""


def _claim(bench: Bench, results: Results) -> str:
    """Softmax after cross-entropy alone against the vote after joint training, network by network."""
    found = {}
    for network in bench.budget.networks:
        pair = [f"{network}-ce.softmax", f"{network}-ce-supcon.vote"]
        if all(f"systems/{name}" in results for name in pair):
            softmax, vote = (asked_again(bench, name) for name in pair)
            found[network] = JudgedSplit.compare(softmax, vote, bench.classes)["all_images"]
    evidence = "; ".join(
        f"{_line(bench, network)} {points(each['difference'], each['interval'])}" for network, each in found.items()
    )
    return claim(
        "an embedding that learns similarity, its neighbours voting beside the head, names faces better than a softmax "
        "head on the same backbone after equally many epochs",
        decided([each["interval"] for each in found.values()]),
        evidence and f"accuracy of the vote after cross-entropy + SupCon, less softmax after cross-entropy: {evidence}",
    )


def asked_again(bench: Bench, name: str) -> Asked:
    """The answers of a measured row, from what was kept."""
    network, _, head = name.rpartition(".")
    return head_answers(bench.kept_of(network), head, bench.halves)


def picture(bench: Bench, rows: list[Row], results: Results) -> Figure:
    """Without the most frequent class, which stands far from all others."""
    measured = [row for row in rows if row.path in results and row.name != "majority"]
    shown = [(row, _line(bench, *named(row.name)[:2]), named(row.name)[-1]) for row in measured]
    labels = list(dict.fromkeys(label for _, label, _ in shown))
    drawn: dict[str, dict[str, Points]] = {title: {} for title in PANELS.values()}
    for row, label, head in shown:
        for where, title in PANELS.items():
            x, y = drawn[title].setdefault(head or HEADS["knn" if row.name in FLOORS else "softmax"], ([], []))
            x.append(100 * results[row.path][where]["accuracy"])
            y.append(labels.index(label))
    return places(labels, drawn, "accuracy, %")


def _line(bench: Bench, network: str, *learnt: str) -> str:
    """A network and what it learnt, in words, with its epochs where they are fewer than the others'."""
    epochs = counted(bench.budget.fewer_epochs, "epoch") if network in bench.budget.dearest else ""
    return ", ".join(filter(None, (network, *learnt, epochs)))
