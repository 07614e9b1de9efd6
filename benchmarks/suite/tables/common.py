"""What tables share: rows that judge a head, and cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from benchmarks.suite.bench import Bench, Training
from benchmarks.suite.heads import head, raw_answers
from benchmarks.suite.records import Result, Row

Results = Mapping[str, Result]
"""Results by the row's path, of those that were measured."""

HEADS = {
    "softmax": "softmax head",
    "svm": "linear SVM in the network",
    "linear-svc": "linear SVM on the embedding",
    "knn": "k-NN",
    "vote": "vote of both",
    "balanced-knn": "k-NN, class shares divided out",
}
LEARNT = {
    "softmax": "cross-entropy",
    "weighted": "class-weighted cross-entropy",
    "hinge": "squared hinge",
    "siamese": "Siamese pairs",
    "contrastive": "all pairs of a batch",
    "triplet": "triplets",
    "supcon": "supervised contrastive",
    "joint": "cross-entropy + contrastive",
}


def head_row(table: str, name: str, bench: Bench, training: Training, head_name: str) -> Row:
    """A row that trains a network, reads one head off it and judges it."""
    config = {"training": training.config, "head": head_name, "data": bench.data}
    return Row(table, name, config, partial(_judge_head, bench, training, head_name, name, config))


def _judge_head(bench: Bench, training: Training, head_name: str, name: str, config: Mapping[str, object]) -> Result:
    recognizer, selection, test = bench.vectors(training)
    classifier = head(head_name, recognizer, training.selection)
    if head_name in ("softmax", "svm", "linear-svc", "knn"):
        bench.keep_answers(name, config, raw_answers(classifier, selection, test))
    parameters = sum(each.numel() for each in recognizer.encoder.parameters())
    figures = bench.parts.test.judge(classifier.predict_proba(test), recognizer.classes_.tolist())
    return figures | {"epochs": training.recipe.epochs, "parameters": parameters}


def probed(bench: Bench) -> str:
    """The system of a table that has but one, in words."""
    epochs = bench.budget.epochs[bench.budget.probe]
    return f"The system `{bench.budget.probe}`, {epochs} epoch{'s' if epochs > 1 else ''}"


def cells(values: Iterable[str]) -> str:
    """A line of a Markdown table."""
    return "| " + " | ".join(values) + " |"


def header(names: Sequence[str], numbers: int) -> list[str]:
    """The head of a Markdown table whose last columns hold numbers."""
    return [cells(names), cells(["---"] * (len(names) - numbers) + ["---:"] * numbers)]


def percent(value: float | None) -> str:
    """A share, in percent without the sign."""
    return "" if value is None else f"{100 * value:.1f}"


def spread(values: Sequence[float]) -> str:
    """Mean of shares and, of several, their smallest and largest, in percent."""
    if not values:
        return ""
    mean = percent(sum(values) / len(values))
    return mean if len(values) == 1 else f"{mean} ({percent(min(values))} to {percent(max(values))})"
