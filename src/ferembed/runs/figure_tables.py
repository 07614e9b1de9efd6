"""The figures of one or two systems as tables: headings and rows as values, which the terminal and pages draw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from ferembed.evaluation import Metrics, PairedMetrics, PairedRetrieval
from ferembed.evaluation.wording import (
    CALIBRATION,
    CLASS_FIGURES,
    COLLAPSED,
    FIGURES,
    RETRIEVAL_FIGURES,
    voter_name,
    written,
    written_gap,
    written_interval,
)
from ferembed.runs.assessment import Comparison, Evaluation

INTERVALS = "Small numbers are 95% intervals over images."
COPIES = (
    "Without copies: only images with no identical one among the faces the recogniser learned, nor, in FER2013, one "
    "known to show the same photo."
)
NO_COPIES = "No image has a copy, identical or known, among the faces learned: the figures stand for all."

Judged = TypeVar("Judged")


class Cell(NamedTuple):
    """A figure, and its interval, which stands beneath; empty where it has none."""

    value: str
    interval: str


@dataclass(frozen=True)
class FigureTable:
    """A table of figures.

    Attributes
    ----------
    headings : list of str
    rows : list of lists of str or Cell
        As many as there are headings.
    text : int
        How many leading columns hold text; where these are two, the first names a group of rows.
    title, caption : str
    """

    headings: list[str]
    rows: list[list[str | Cell]]
    text: int = 1
    title: str = ""
    caption: str = ""

    @property
    def lines(self) -> list[list[str | Cell]]:
        """The rows, with the name of a group only in its first one."""
        rows = self.rows
        repeated = [self.text > 1 and place > 0 and row[0] == rows[place - 1][0] for place, row in enumerate(rows)]
        return [["", *row[1:]] if same else row for row, same in zip(rows, repeated, strict=True)]


def voters_table(evaluation: Evaluation) -> FigureTable:
    """One row a voter, for all images and for those without a copy in the gallery."""
    images, copies = evaluation.images, evaluation.copies
    groups = {
        f"all {images:,}": evaluation.all_images,
        f"without copies, {images - copies:,}": evaluation.without_copies,
    }
    return FigureTable(
        ["images", "voter", *FIGURES.values()],
        [
            [group, voter_name(voter), *_cells(metrics, FIGURES)]
            for group, voters in _groups(copies, groups).items()
            for voter, metrics in voters.items()
        ],
        text=2,
        title=evaluation.split,
        caption=f"{INTERVALS} {CALIBRATION} {COPIES if copies else NO_COPIES}",
    )


def classes_table(metrics: Metrics, title: str = "") -> FigureTable:
    """One row a class."""
    rows = [[name, *_cells(each, CLASS_FIGURES), f"{each.support:,}"] for name, each in metrics.per_class.items()]
    return FigureTable(["class", *CLASS_FIGURES.values(), "images"], rows, title=title, caption=INTERVALS)


def retrieval_table(evaluations: Mapping[str, Evaluation]) -> FigureTable:
    """How the embedding of one system, or of several by name, retrieves faces of the query's class from the gallery."""
    rows = [
        [", ".join(filter(None, [name, group])), *_cells(metrics, RETRIEVAL_FIGURES)]
        for name, each in evaluations.items()
        for group, metrics in _groups(
            each.copies, {"all": each.retrieval, "without copies": each.retrieval_without_copies}
        ).items()
        if metrics is not None
    ]
    fallen = [name for name, each in evaluations.items() if each.retrieval.collapsed]
    return FigureTable(
        ["images", *RETRIEVAL_FIGURES.values()],
        rows,
        title="Faces as queries against the gallery",
        caption=" ".join([*_collapsed(fallen), INTERVALS]),
    )


def comparison_tables(comparison: Comparison, names: Sequence[str]) -> list[FigureTable]:
    """Both systems, their differences and McNemar's test, for each voter and both groups of images; then retrieval."""
    images, copies = comparison.images, comparison.copies
    groups = _groups(
        copies,
        {
            f"all {images:,} images": comparison.all_images,
            f"{images - copies:,} images without copies": comparison.without_copies,
        },
    )
    tables = [
        each for group, voters in groups.items() if voters for each in _compared(group, comparison.split, voters, names)
    ]
    return [*tables, _retrieval_compared(comparison, names)]


def _compared(
    group: str, split: str, voters: Mapping[str, PairedMetrics], names: Sequence[str]
) -> Iterator[FigureTable]:
    yield FigureTable(
        ["voter", *_headings(names)],
        [[voter_name(voter), *row] for voter, paired in voters.items() for row in _gaps(paired, FIGURES)],
        text=2,
        title=f"{split}: {names[1]} against {names[0]}",
        caption=f"{group[0].upper()}{group[1:]}. {_difference(names)} {CALIBRATION}",
    )
    rows: list[list[str | Cell]] = []
    for voter, paired in voters.items():
        test = paired.mcnemar
        counts = [test.both, test.only_first, test.only_second, test.neither]
        rows.append([voter_name(voter), *(f"{n:,}" for n in counts), f"{test.p_value:.3g}", f"{test.p_exact:.3g}"])
    yield FigureTable(
        ["voter", "both right", f"only {names[0]}", f"only {names[1]}", "neither", "p (mid)", "p (exact)"],
        rows,
        caption=f"McNemar's test on {group}: which images only one of the two names rightly.",
    )


def _retrieval_compared(comparison: Comparison, names: Sequence[str]) -> FigureTable:
    everything = comparison.retrieval
    groups = {"all": everything, "without copies": comparison.retrieval_without_copies}
    sides = zip(names, (everything.first, everything.second), strict=True)
    fallen = _collapsed([name for name, side in sides if side.collapsed])
    return FigureTable(
        ["images", *_headings(names)],
        [
            [group, *row]
            for group, paired in _groups(comparison.copies, groups).items()
            if paired is not None
            for row in _gaps(paired, RETRIEVAL_FIGURES)
        ],
        text=2,
        title=f"{comparison.split}: faces as queries against the gallery",
        caption=" ".join([*fallen, "Images as queries against each system's own gallery.", _difference(names)]),
    )


def _groups(copies: int, groups: dict[str, Judged]) -> dict[str, Judged]:
    """Without copies, both groups of images are one."""
    return groups if copies else dict(list(groups.items())[:1])


def _collapsed(names: Sequence[str]) -> list[str]:
    return [f"{name}: {COLLAPSED}" if name else COLLAPSED for name in names]


def _headings(names: Sequence[str]) -> list[str]:
    return ["figure", *names, "difference", "95% of it", "p"]


def _difference(names: Sequence[str]) -> str:
    return (
        f"Difference: {names[1]} less {names[0]}, in points where the figures are percentages; its interval and "
        "two-sided p over the same images for both."
    )


def _gaps(paired: PairedMetrics | PairedRetrieval, headings: Mapping[str, str]) -> Iterator[list[str | Cell]]:
    """Heading, both systems, difference, interval and p value, figure by figure."""
    for field, heading in headings.items():
        if field in paired.differences:
            both = (_cell(side, field) for side in (paired.first, paired.second))
            yield [heading, *both, *written_gap(field, paired.differences[field])]


def _cells(metrics: Any, headings: Mapping[str, str]) -> list[str | Cell]:
    return [_cell(metrics, field) for field in headings]


def _cell(metrics: Any, field: str) -> Cell:
    return Cell(written(field, getattr(metrics, field)), written_interval(field, metrics))
