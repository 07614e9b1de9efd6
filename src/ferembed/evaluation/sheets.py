"""Contact sheets of faces, and how any picture is written."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ferembed.evaluation.plots.canvas import figure_or_place
from ferembed.evaluation.plots.text import plain
from ferembed.storage import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

LETTERS = 18
"""Letters of a caption on one line."""


def plot_faces(
    images: NDArray[Any], captions: Sequence[str] | None = None, ax: Axes | None = None, *, columns: int = 8
) -> Figure | SubFigure:
    """A sheet of faces, row by row.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w) or (n, h, w, 3)
    captions : sequence of str, optional
        One line or more above each face; long ones are wrapped.
    ax : matplotlib Axes, optional
        A subplot whose place the sheet takes.
    columns : int
        Faces a row at most.

    Returns
    -------
    matplotlib Figure, or SubFigure in the place of ``ax``
    """
    if captions is not None and len(captions) != len(images):
        raise ValueError(f"{len(images)} images need as many captions, not {len(captions)}.")
    columns = max(1, min(columns, len(images)))
    rows = max(1, math.ceil(len(images) / columns))
    titles = [plain(caption, LETTERS) for caption in captions or ()]
    lines = max((title.count("\n") + 1 for title in titles), default=0)
    figure = figure_or_place(ax, (1.3 * columns, (1.3 + 0.2 * lines) * rows))
    for place, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axes.set_axis_off()
        if place < len(images):
            axes.imshow(images[place], cmap="gray", vmin=0, vmax=255)
            if titles:
                axes.set_title(titles[place], fontsize=8)
    return figure


def save_figure(picture: Figure | SubFigure | Axes, path: str | os.PathLike[str], *, dpi: int = 120) -> None:
    """Write a picture, whole or not at all; the path's ending (.png, .svg, .pdf) decides the format."""
    figure = picture.get_figure(root=True)
    if figure is None:
        raise ValueError("the axes belong to no figure that could be saved.")
    ending = os.path.splitext(os.fspath(path))[1].lstrip(".") or "png"
    with atomic_path(path) as draft:
        figure.savefig(draft, dpi=dpi, format=ending)
