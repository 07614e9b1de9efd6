"""Confusion matrices whose cells lead to their faces: of one system, and the difference of two."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from ferembed.auditing.lists import Places
from ferembed.evaluation.metrics import confusion_counts
from ferembed.page import FaceSheet, join, note, render, row, table
from ferembed.page.style import text_on_share
from ferembed.runs.assessment import Answers

SHOWN = 96
"""Faces of a cell that are shown at most."""

LARGEST = 10
"""Confusions that are listed before the matrix."""

MANY = 12
"""Classes from which on the matrix has small cells, and zeros are left out."""

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class _Cell:
    text: str
    below: str
    share: float
    """How much of ``tone`` its ground takes, 0 to 1."""
    tone: str
    place: tuple[int, int]
    faces: Markup | None

    @property
    def anchor(self) -> str:
        return _anchor(*self.place)

    @property
    def kind(self) -> str:
        return "" if round(100 * self.share) else "nil"

    @property
    def style(self) -> str:
        share = round(100 * self.share)
        return f"--share: {share}%; --tone: var(--{self.tone}); color: {text_on_share(self.tone, share / 100)}"


Cells: TypeAlias = Mapping[tuple[int, int], _Cell]


def confusion_matrix(answers: Answers) -> Markup:
    """The vote's confusion matrix; a click on a cell shows its faces, the most confident first.

    Each cell holds the share of its true class and, beneath, the number of images.
    """
    classes, predicted, confidence = answers.classes, answers.predicted(), answers.probabilities["vote"].max(axis=1)
    counts = confusion_counts(answers.codes, predicted, len(classes))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    groups = {(i, j): _surest((answers.codes == i) & (predicted == j), confidence) for i, j in _places(classes)}
    faces = _Faces(answers, groups.values(), confidence)
    cells = {
        (i, j): _Cell(f"{shares[i, j]:.0%}", f"{counts[i, j]:,}", shares[i, j], "fill", (i, j), faces.shown({"": rows}))
        for (i, j), rows in groups.items()
    }
    caption = "Rows: the true class. Columns: what the vote calls it. Click a cell to see its faces."
    shown = row(_largest(classes, counts, shares), _matrix(classes, cells, caption))
    return join([faces.sheet.style, shown, _panels(classes, cells)])


def difference_matrix(first: Answers, second: Answers, names: Sequence[str]) -> Markup:
    """The second system's confusion matrix less the first's, in points of each true class.

    A click on a cell shows the faces that only one of the systems puts there. Both must name the classes in one order.
    """
    classes, a, b = first.classes, first.predicted(), second.predicted()
    before, after = (confusion_counts(first.codes, each, len(classes)) for each in (a, b))
    points = 100 * (after - before) / np.maximum(before.sum(axis=1, keepdims=True), 1)
    widest = max(1.0, float(np.abs(points).max()))
    sure = [each.probabilities["vote"].max(axis=1) for each in (first, second)]
    groups = {
        (i, j): {
            f"only by {names[0]}": _surest((first.codes == i) & (a == j) & (b != j), sure[0]),
            f"only by {names[1]}": _surest((first.codes == i) & (a != j) & (b == j), sure[1]),
        }
        for i, j in _places(classes)
    }
    faces = _Faces(first, (rows for group in groups.values() for rows in group.values()))
    cells = {}
    for (i, j), group in groups.items():
        moved, images = points[i, j], after[i, j] - before[i, j]
        text, below = "0" if abs(moved) < 0.05 else f"{moved:+.1f}", f"{images:+,}" if images else "0"
        tone = "more" if moved > 0 else "less"
        cells[i, j] = _Cell(text, below, abs(moved) / widest, tone, (i, j), faces.shown(group))
    caption = (
        f"{names[1]} less {names[0]}: points of each true class (row) that are called each class (column), images "
        "beneath. More is better on the diagonal, fewer elsewhere. Click a cell to see the faces that only one of the "
        "two puts there."
    )
    return join([faces.sheet.style, _matrix(classes, cells, caption), _panels(classes, cells)])


def _largest(classes: Sequence[str], counts: NDArray[np.int64], shares: NDArray[np.float64]) -> Markup:
    """The confusions of most images, each with the way to its faces."""
    mistakes = counts * ~np.eye(len(classes), dtype=bool)
    order = np.argsort(-mistakes, axis=None, kind="stable")[:LARGEST]
    places = [(int(i), int(j)) for i, j in zip(*np.unravel_index(order, counts.shape), strict=True) if mistakes[i, j]]
    link = Markup('<a href="#{}">{}</a>')
    rows = [
        [classes[i], link.format(_anchor(i, j), classes[j]), f"{counts[i, j]:,}", f"{shares[i, j]:.0%}"]
        for i, j in places
    ]
    if not rows:
        return note("The vote confuses no classes.")
    share = sum(mistakes[place] for place in places) / mistakes.sum()
    caption = f"The {len(rows)} most frequent confusions: {share:.0%} of all mistakes." if len(rows) > 1 else ""
    return table(["is", "called", "images", "of its class"], rows, text=2, caption=caption)


class _Faces:
    """The faces of all cells in one sheet, and what a cell shows of them."""

    def __init__(self, answers: Answers, groups: Iterable[Rows], confidence: NDArray[np.float64] | None = None) -> None:
        shown = np.unique(np.concatenate([rows[:SHOWN] for rows in groups]))
        self.sheet = FaceSheet(answers.faces.images[shown], "cells")
        self._places = {int(row): place for place, row in enumerate(shown)}
        self._ids, self._names, self._confidence = answers.faces.ids, Places(answers.faces), confidence

    def shown(self, groups: Mapping[str, Rows]) -> Markup | None:
        """The faces of each group under its name and number, or None where there are none."""
        blocks = []
        for name, rows in groups.items():
            if not rows.size:
                continue
            few = f"; the {SHOWN} most confident are shown" if len(rows) > SHOWN else ""
            title = f"{name}: " if name else ""
            blocks.append(note(f"{title}{len(rows):,} {'face' if len(rows) == 1 else 'faces'}{few}."))
            top = rows[:SHOWN].tolist()
            blocks.append(self.sheet.faces([self._places[row] for row in top], [self._caption(row) for row in top]))
        return join(blocks) if blocks else None

    def _caption(self, row: int) -> Markup:
        sure = Markup("") if self._confidence is None else Markup("{}<br>").format(f"{self._confidence[row]:.0%}")
        return Markup("{}{}").format(sure, self._names.name(self._ids[row]))


def _places(classes: Sequence[str]) -> Iterator[tuple[int, int]]:
    return ((i, j) for i in range(len(classes)) for j in range(len(classes)))


def _surest(chosen: NDArray[np.bool_], confidence: NDArray[np.float64]) -> Rows:
    rows = np.flatnonzero(chosen)
    return rows[np.argsort(-confidence[rows], kind="stable")]


def _matrix(classes: Sequence[str], cells: Cells, caption: str) -> Markup:
    lines = [[cells[i, j] for j in range(len(classes))] for i in range(len(classes))]
    return render("matrix.html", names=classes, lines=lines, caption=caption, many=len(classes) > MANY)


def _panels(classes: Sequence[str], cells: Cells) -> Markup:
    """The faces of each cell, which are hidden until it is clicked."""
    titles = {place: f"{classes[place[0]]}, called {classes[place[1]]}" for place in cells}
    return render("cells.html", cells=cells.values(), titles=titles, back="confusion-matrix")


def _anchor(true: int, called: int) -> str:
    """By number: names that differ in case or punctuation alone would share an anchor made of words."""
    return f"cell-{true}-{called}"
