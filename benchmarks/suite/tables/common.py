"""What tables share: names, cells, and the sentence that ends each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.suite.answers import Halves, head_answers
from benchmarks.suite.bench import Bench, Training
from benchmarks.suite.records import Result
from benchmarks.suite.splits import JudgedSplit
from scipy.stats import norm

Results = Mapping[str, Result]
"""Results by the row's path, of those that were measured."""

HEADS = {
    "softmax": "softmax head",
    "svm": "linear SVM on the embedding",
    "knn": "k-NN",
    "vote": "vote of both",
    "balanced-knn": "k-NN, class shares divided out",
}


def judged_heads(bench: Bench, training: Training, halves: Halves) -> Result:
    """Train and ask a network that only one table shows, and judge each of its heads."""
    result = bench.ask(training, halves)
    kept = bench.kept_of(training.name)
    judged = {
        head: JudgedSplit.judge(head_answers(kept, head, halves), bench.classes, resamples=0) for head in training.heads
    }
    return result | {"heads": judged}


def cells(values: Iterable[str]) -> str:
    """A line of a Markdown table."""
    return "| " + " | ".join(values) + " |"


def header(names: Sequence[str], numbers: int) -> list[str]:
    """The head of a Markdown table whose last columns hold numbers."""
    return [cells(names), cells(["---"] * (len(names) - numbers) + ["---:"] * numbers)]


def percent(value: float | None) -> str:
    """A share, in percent without the sign."""
    return "" if value is None else f"{100 * value:.1f}"


def counted(number: int, what: str) -> str:
    """A number of things, in words."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def spread(values: Sequence[float]) -> str:
    """Mean of shares and, of several, their smallest and largest, in percent."""
    if not values:
        return ""
    mean = percent(sum(values) / len(values))
    return mean if len(values) == 1 else f"{mean} ({percent(min(values))} to {percent(max(values))})"


def claim(said: str, true: bool | None, evidence: str) -> str:
    """The sentence that ends a table.

    Parameters
    ----------
    said : str
        What the student project said of metric learning, after "that".
    true : bool or None
        Whether the figures show it; None if they show neither it nor its contrary.
    evidence : str
        The figures; empty if there are none yet.
    """
    verdict = {True: "Borne out", False: "Refuted", None: "Not decided"}[true]
    return f"**{verdict if evidence else 'Not measured yet'}: that {said}**" + (f" ({evidence})." if evidence else ".")


def decided(intervals: Sequence[Sequence[float] | None]) -> bool | None:
    """What differences with 95% intervals agree on: True if some are above 0 and none below, False the other way.

    Each of several is widened, as a normal one would be, so that all hold at once with 95% (Bonferroni).
    """
    known = [((low + high) / 2, (high - low) / 2) for low, high in filter(None, intervals)]
    wider = norm.ppf(1 - 0.025 / max(1, len(known))) / norm.ppf(0.975)
    above = any(middle > wider * reach for middle, reach in known)
    below = any(-middle > wider * reach for middle, reach in known)
    return None if above == below else above


def points(difference: float, interval: Sequence[float] | None) -> str:
    """A difference of shares in points, with its interval."""
    bounds = f" [{100 * interval[0]:+.1f}, {100 * interval[1]:+.1f}]" if interval else ""
    return f"{100 * difference:+.1f}{bounds}"
