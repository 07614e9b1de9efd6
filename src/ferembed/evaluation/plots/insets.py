"""Faces set beside a map, each joined to its point by a line: they cover neither points nor each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ferembed.evaluation.plots.canvas import ink

if TYPE_CHECKING:
    from matplotlib.axes import Axes

A_SIDE = 6
"""Faces at most on the left, and on the right."""

BAND = 0.3
"""Room for them on either side, in widths of the map."""

_TALL, _WIDE = 86, 72
"""Points of 1/72 inch that a face with its caption needs down, and a band across."""


def room_for_insets(ax: Axes) -> int:
    """How many faces have room beside the map on these axes: on both sides together, an even number."""
    figure = ax.get_figure()
    if figure is None:
        return 0
    box, inch = ax.get_window_extent(), figure.dpi / 72
    if box.width / inch * BAND / (1 + 2 * BAND) < _WIDE:
        return 0
    return 2 * min(A_SIDE, int(box.height / inch / _TALL))


def set_in(
    ax: Axes, points: NDArray[np.float32], images: NDArray[np.uint8], captions: Sequence[str], colours: Sequence[str]
) -> None:
    """Set faces into bands on the left and on the right of a map.

    Parameters
    ----------
    ax : matplotlib Axes
        Whose limits are those of the map; they are widened.
    points : ndarray of float32, shape (m, 2)
        Where the faces lie on the map; no more than :func:`room_for_insets`.
    images : ndarray of uint8, shape (m, h, w) or (m, h, w, 3)
    captions, colours : sequence of m str
        What stands beneath each, and the colour of its frame.
    """
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage, TextArea, VPacker

    low, high = ax.get_xlim()
    ax.set_xlim(low - BAND * (high - low), high + BAND * (high - low))
    middle = BAND / (1 + 2 * BAND) / 2
    across = np.argsort(points[:, 0], kind="stable")
    for place, side in ((middle, across[: len(across) // 2]), (1 - middle, across[len(across) // 2 :])):
        down = side[np.argsort(-points[side, 1], kind="stable")]
        for slot, face in enumerate(down):
            image = OffsetImage(images[face], zoom=36 / images.shape[1], cmap="gray", norm=None)
            image.image.set_clim(0, 255)
            text = TextArea(captions[face], textprops={"fontsize": 6, "ha": "center", "multialignment": "center"})
            box = AnnotationBbox(
                VPacker(children=[image, text], align="center", pad=0, sep=2),
                (float(points[face, 0]), float(points[face, 1])),
                (place, 1 - (slot + 0.5) / len(down)),
                boxcoords="axes fraction",
                pad=0.15,
                bboxprops={"edgecolor": colours[face], "linewidth": 1.5, "facecolor": "none"},
                arrowprops={"arrowstyle": "-", "color": ink(), "linewidth": 0.5},
            )
            ax.add_artist(box)


def spread_out(places: NDArray[np.float32], count: int) -> list[int]:
    """Up to ``count`` different places of the unit square, each as far as can be from those before."""
    chosen: list[int] = []
    distance = np.full(len(places), np.inf)
    candidate = int(np.abs(places - 0.5).sum(axis=1).argmin()) if len(places) else 0
    while len(chosen) < min(count, len(places)) and distance[candidate] > 0:
        chosen.append(candidate)
        distance = np.minimum(distance, np.abs(places - places[candidate]).max(axis=1))
        candidate = int(distance.argmax())
    return chosen
