"""Pictures of saliency: the face, its map, and the map over the face, side by side.

Each is drawn on ``ax``, a grid in its place, or on a new figure; :func:`ferembed.evaluation.save_figure` writes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ferembed.data.dataset import FaceDataset
from ferembed.evaluation.plots.canvas import ORANGE, axes_or_new, figure_or_place, ink, plain
from ferembed.explain.saliency import Saliency, SimilaritySaliency, explain_class
from ferembed.probability import most_probable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from ferembed.recognizer import Recognizer


COLOURS = "inferno"
"""Matplotlib's colours of a map: even to the eye, and lighter with saliency, however one sees colours."""

SIGNED = "PuOr"
"""Of signed values: orange below 0, white at 0, violet above it."""

EMPTY = {"gradcam": "The map is empty: nothing that the layer sees raises the score."}
"""What stands in the place of a map of zeros, by method."""

FLAT = "The map is empty: no pixel changes the score."
"""What stands there for the other methods."""

_GAP = 0.08

Picture = NDArray[np.float32]
Triptych = tuple[Picture, "Picture | str", "Picture | None"]

_TITLE, _LETTERS = 8, 44
"""Size of a title, and its letters a line."""


def triptych(image: Picture, values: Picture, method: str, signed: bool) -> Triptych:
    """Face, map and both, each (h, w, 3); for a map of zeros the face and a sentence.

    Parameters
    ----------
    image : ndarray of float32, shape (h, w) or (h, w, 3)
    values : ndarray of float32, shape (h, w)
        A map from 0 to 1 or, where ``signed``, values of either sign, whose largest size gets the deepest colour.
    method : str
    signed : bool
    """
    from matplotlib import colormaps

    face = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    if not values.any():
        return face, EMPTY.get(method, FLAT), None
    if signed:
        values = np.asarray(values / np.abs(values).max(), np.float32)
    heat = colormaps[SIGNED if signed else COLOURS]((values + 1) / 2 if signed else values)[..., :3].astype(np.float32)
    cover: Picture = np.float32(0.15) + np.float32(0.55) * np.abs(values)[..., None]
    return face, heat, (1 - cover) * face + cover * heat


def show(ax: Axes, rows: Sequence[Triptych]) -> None:
    """Rows of pictures of one size on one pair of axes, each in its own square; a sentence takes two."""
    for line, row in enumerate(rows):
        top = line * (1 + _GAP)
        for place, tile in enumerate(row):
            left = place * (1 + _GAP)
            if isinstance(tile, str):
                ax.text(left + 1 + _GAP / 2, top + 0.5, plain(tile, 28), ha="center", va="center", fontsize=7)
            elif tile is not None:
                ax.imshow(np.clip(tile, 0, 1), extent=(left, left + 1, top + 1, top), interpolation="nearest")
    ax.set_xlim(0, 3 * (1 + _GAP) - _GAP)
    ax.set_ylim(len(rows) * (1 + _GAP) - _GAP, 0)
    bare(ax)


def bare(ax: Axes) -> None:
    """Axes without ticks, frame and ground."""
    ax.set(xticks=[], yticks=[])
    ax.patch.set_alpha(0)
    for side in ax.spines.values():
        side.set_visible(False)


def plot_saliency(
    saliency: Saliency, row: int = 0, *, truth: str | None = None, signed: bool = False, ax: Axes | None = None
) -> Axes:
    """One face, its map, and the map over the face.

    Above them stand the prediction and the probability of the class that is explained and, where ``truth`` is given,
    the true class; a wrong prediction is marked by a cross and by its colour.

    Parameters
    ----------
    saliency : Saliency
    row : int
        Which of its faces.
    truth : str, optional
        The true class.
    signed : bool
        Show ``saliency.raw``, violet for the class and orange against it, in place of ``saliency.maps``.
    ax : matplotlib Axes, optional
    """
    ax = axes_or_new(ax, (4.2, 1.8))
    values = saliency.raw if signed else saliency.maps
    show(ax, [triptych(saliency.images[row], values[row], saliency.method, signed)])
    predicted, target = str(saliency.predicted[row]), str(saliency.target[row])
    title = f"{predicted} {saliency.probability[row]:.0%}"
    if target != predicted:
        title = f"{predicted}; map of {target} {saliency.probability[row]:.0%}"
    wrong = truth is not None and truth != predicted
    if truth is not None:
        joint = " · " if len(title) + len(truth) < _LETTERS - 10 else "\n"
        title = f"{'✗ ' if wrong else ''}{title}{joint}true: {truth}"
    ax.set_title(plain(title, _LETTERS), fontsize=_TITLE, color=ORANGE if wrong else ink())
    return ax


def plot_similarity_saliency(
    pairs: SimilaritySaliency, row: int = 0, *, signed: bool = False, ax: Axes | None = None
) -> Axes:
    """Two faces, one above the other, each with what makes it similar to the other.

    Parameters
    ----------
    pairs : SimilaritySaliency
    row : int
        Which pair.
    signed : bool
        Show the signed values, violet where a pixel makes the faces more alike and orange where less.
    ax : matplotlib Axes, optional
    """
    ax = axes_or_new(ax, (4.2, 3.2))
    a, b = (pairs.raw_a, pairs.raw_b) if signed else (pairs.maps_a, pairs.maps_b)
    sides = (pairs.images_a[row], a[row]), (pairs.images_b[row], b[row])
    show(ax, [triptych(*side, pairs.method, signed) for side in sides])
    ax.set_title(f"cosine similarity {pairs.similarity[row]:.3f}", fontsize=_TITLE)
    return ax


def plot_saliency_grid(
    recognizers: Recognizer | Mapping[str, Recognizer],
    faces: FaceDataset,
    method: str = "occlusion",
    *,
    voter: str = "vote",
    columns: int = 4,
    signed: bool = False,
    ax: Axes | None = None,
    **parameters: Any,
) -> Figure | SubFigure:
    """The surest right and the surest wrong predictions of each model, with maps of the predicted class.

    A model has one row of right cases and one of wrong ones, each of as many true classes as there are.

    Parameters
    ----------
    recognizers : Recognizer, or mapping of str to Recognizer
        One model, or several by name.
    faces : FaceDataset
        Labelled faces that the models did not learn from.
    method, voter, **parameters
        As for :func:`ferembed.explain_class`.
    columns : int
        Cases a row.
    signed : bool
        As for :func:`plot_saliency`.
    ax : matplotlib Axes, optional
        A subplot whose place the grid takes.

    Raises
    ------
    ValueError
        If there is no face or no model, ``columns`` is below 1, or as :func:`ferembed.explain_class` does.
    """
    cases = surest_cases(recognizers, faces, method, voter=voter, columns=columns, **parameters)
    return plot_cases(cases, columns=columns, signed=signed, ax=ax)


class Cases(NamedTuple):
    """The surest right or wrong predictions of one model, with maps of the predicted classes."""

    model: str
    kind: Literal["right", "wrong"]
    truth: NDArray[np.str_]
    saliency: Saliency


def surest_cases(
    recognizers: Recognizer | Mapping[str, Recognizer],
    faces: FaceDataset,
    method: str = "occlusion",
    *,
    voter: str = "vote",
    columns: int = 4,
    **parameters: Any,
) -> list[Cases]:
    """What :func:`plot_saliency_grid` draws: for each model its right cases, then its wrong ones."""
    named = recognizers if isinstance(recognizers, Mapping) else {"": recognizers}
    if not len(faces) or not named or columns < 1:
        raise ValueError(f"a grid needs faces, a model and a column; got {len(faces)}, {len(named)} and {columns}.")
    truth = np.array(faces.classes)[faces.labels]
    cases = []
    for name, recognizer in named.items():
        proba = recognizer.voters[voter].predict_proba(recognizer.encode(faces.images))
        right = recognizer.classes_[most_probable(proba)] == truth
        kinds: tuple[tuple[Literal["right", "wrong"], NDArray[np.bool_]], ...] = (("right", right), ("wrong", ~right))
        for kind, of_kind in kinds:
            rows = _surest(np.flatnonzero(of_kind), proba.max(axis=1), truth, columns)
            saliency = explain_class(recognizer, faces.subset(rows).images, method, voter=voter, **parameters)
            cases.append(Cases(name, kind, truth[rows], saliency))
    return cases


def plot_cases(
    cases: Sequence[Cases], *, columns: int = 4, signed: bool = False, ax: Axes | None = None
) -> Figure | SubFigure:
    """Draw cases that :func:`surest_cases` has found, a row for each model and kind."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    models = len(cases) // 2
    figure = figure_or_place(ax, (2.75 * columns + 0.9, 2.35 * models))
    for model, block in enumerate(figure.subfigures(models, 1, squeeze=False)[:, 0]):
        grid = block.subplots(2, columns, squeeze=False)
        for line, case in zip(grid, cases[2 * model : 2 * model + 2], strict=True):
            _plot_line(line, case, signed)
        colours = ScalarMappable(Normalize(-1 if signed else 0, 1), SIGNED if signed else COLOURS)
        bar = block.colorbar(colours, ax=grid, shrink=0.7, aspect=15, ticks=[-1, 0, 1] if signed else [0, 1])
        if signed:
            bar.set_ticklabels(["against", "0", "for"])
        bar.set_label(f"{cases[0].saliency.method.replace('_', ' ')} map", fontsize=_TITLE)
        bar.ax.tick_params(labelsize=_TITLE)
    return figure


def _plot_line(line: Iterable[Axes], case: Cases, signed: bool) -> None:
    """One row of a grid: as many cases as there are, then empty places."""
    for place, ax in enumerate(line):
        if place < len(case.truth):
            plot_saliency(case.saliency, place, truth=str(case.truth[place]), signed=signed, ax=ax)
        else:
            bare(ax)
        if not place:
            ax.set_ylabel(plain(f"{case.model}\n{case.kind}".strip(), 20), fontsize=9)
            if not len(case.truth):
                ax.set_title("none", fontsize=_TITLE)


def _surest(
    rows: NDArray[np.int64], confidence: NDArray[np.float64], truth: NDArray[np.str_], count: int
) -> NDArray[np.int64]:
    """Up to ``count`` rows, the surest of each true class first, then the surest of the others."""
    rows = rows[np.argsort(-confidence[rows], kind="stable")]
    firsts = np.sort(np.unique(truth[rows], return_index=True)[1])
    order = np.concatenate([firsts, np.setdiff1d(np.arange(len(rows)), firsts)])
    return rows[order[:count].astype(np.int64)]
