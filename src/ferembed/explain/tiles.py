"""A face, its map, and the map over the face, as squares side by side on one pair of axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ferembed.evaluation.plots.text import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
