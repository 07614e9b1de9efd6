"""Grey sketches of faces from a table of numbers: each layer is a soft-edged shape laid over the one below.

Face coordinates: the origin is the middle of the face, x to the right and y down, and the head is about 1.7 wide and
2.2 high. All parameters are arrays of shape (n,), all layers of shape (n, size, size), float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Layer: TypeAlias = NDArray[Any]

VIEW = 1.18
"""Half the width of the picture in face coordinates."""

_ROWS_AT_ONCE = 64  # keeps the layers of a batch in the processor's cache


def sketch(faces: Mapping[str, Layer], size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw every face, shape (n, size, size), from its parameters, named as below; ``rng`` makes the camera's noise."""
    n = len(faces["skin"])
    images = np.empty((n, size, size), dtype=np.uint8)
    for start in range(0, n, _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        images[rows] = _draw({name: value[rows, None, None] for name, value in faces.items()}, size, rng)
    return images


def _draw(f: Mapping[str, Layer], size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    grid = ((np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1) * np.float32(VIEW)
    column, row = grid[None, None, :] - f["shift_x"], grid[None, :, None] - f["shift_y"]
    cos, sin = np.cos(f["roll"]) / f["scale"], np.sin(f["roll"]) / f["scale"]
    x, y = column * cos + row * sin, row * cos - column * sin
    pen = _Pen(edge=2 * VIEW / size)
    canvas = f["background"] + f["backdrop"] * column + 0 * row
    canvas = _head(pen, canvas, f, x, y)
    front = (x - f["yaw"]) / np.sqrt(1 - f["yaw"] ** 2)
    canvas = _nose(pen, canvas, f, front, y)
    canvas = _eyes(pen, canvas, f, front, y)
    canvas = _mouth(pen, canvas, f, front, y)
    canvas *= 1 + f["light_x"] * x + f["light_y"] * y
    canvas += f["noise"] * rng.standard_normal(canvas.shape, dtype=np.float32)
    return (canvas * 255).clip(0, 255).astype(np.uint8)


class _Pen:
    """Turns signed distances (positive inside) into coverage with an edge one pixel wide."""

    def __init__(self, edge: float) -> None:
        self.edge = np.float32(edge)

    def fill(self, inside: Layer) -> Layer:
        cover: Layer = np.clip(inside / self.edge + np.float32(0.5), 0, 1)
        return cover

    def oval(self, x: Layer, y: Layer, half_width: Layer, half_height: Layer) -> Layer:
        """An ellipse about the origin, whose half width may change with y."""
        outline = half_width * np.sqrt(np.clip(1 - (y / half_height) ** 2, 0, None))
        return self.fill(outline - np.abs(x)) * self.fill(half_height - np.abs(y))

    def stroke(self, offset: Layer, half_width: Layer | float, end: Layer) -> Layer:
        """A line where ``offset`` from it is small; it fades out where ``end`` turns negative."""
        return self.fill(half_width - np.abs(offset)) * self.fill(end)


def _over(canvas: Layer, tone: Layer | float, cover: Layer) -> Layer:
    canvas += (tone - canvas) * cover
    return canvas


def _head(pen: _Pen, canvas: Layer, f: Mapping[str, Layer], x: Layer, y: Layer) -> Layer:
    height = f["head_height"]
    hair = pen.oval(x, y + 0.08, 1.13 * f["head_width"], 1.08 * height)
    canvas = _over(canvas, f["hair"], hair * pen.fill(f["hair_length"] - y))
    neck = pen.fill(0.5 * f["head_width"] - np.abs(x)) * pen.fill(y - 0.5)
    canvas = _over(canvas, f["skin"] * 0.7, neck)
    head = pen.oval(x, y, f["head_width"] * (1 - f["jaw"] * np.clip(y, 0, None)), height)
    round_shade = 1.06 - 0.28 * ((x / f["head_width"]) ** 2 + 0.6 * (y / height) ** 2)
    canvas = _over(canvas, f["skin"] * round_shade, head)
    return _over(canvas, f["hair"], head * pen.fill(f["hairline"] + f["fringe"] * x * x - y))


def _nose(pen: _Pen, canvas: Layer, f: Mapping[str, Layer], x: Layer, y: Layer) -> Layer:
    tip, width = f["nose_y"] - 0.05 * f["wrinkle"], f["nose_width"] * (1 + 0.25 * f["wrinkle"])
    side = np.abs(x)
    bridge = pen.stroke(side - 0.06 - 0.5 * width * (y - f["eye_y"]), 0.02, (tip - y) * np.sign(y - f["eye_y"]))
    canvas = _over(canvas, f["skin"] * 0.78, 0.5 * bridge)
    base = pen.stroke(y - tip - 0.25 * (width - side), 0.025, width - side)
    canvas = _over(canvas, f["skin"] * 0.45, 0.8 * base)
    between_eyes = np.clip(y - f["eye_y"] + 0.05, -1, 1)
    creases = pen.stroke(np.abs(between_eyes - 0.09) - 0.06 + 0.8 * side, 0.02, 0.12 - side)
    canvas = _over(canvas, f["skin"] * 0.5, np.clip(f["wrinkle"], 0, 1) * creases)
    frown = pen.stroke(side - 0.055, 0.02, 0.09 - np.abs(y - f["eye_y"] + 0.2))
    canvas = _over(canvas, f["skin"] * 0.5, np.clip(f["frown"], 0, 1) * frown)
    below = (y - tip) / (f["mouth_y"] - tip + 0.1)
    fold = pen.stroke(side - width - 0.08 - 0.17 * below, 0.022, 0.5 - np.abs(below - 0.5))
    return _over(canvas, f["skin"] * 0.6, np.clip(f["fold"], 0, 1) * 0.8 * fold)


def _eyes(pen: _Pen, canvas: Layer, f: Mapping[str, Layer], x: Layer, y: Layer) -> Layer:
    side = np.abs(x) - f["eye_gap"]  # from the middle of either eye, positive outwards
    across = side / f["eye_width"]
    arch = 1 - across * across
    height = y - f["eye_y"] + 0.02 * across
    top = -f["eye_height"] * f["eye_open"] * arch
    bottom = 0.75 * f["eye_height"] * np.clip(f["eye_open"], None, 1.2) * (1 - f["squint"]) * arch
    inside = pen.fill(np.minimum(height - top, bottom - height)) * pen.fill(arch * f["eye_width"])
    canvas = _over(canvas, np.minimum(f["skin"] + 0.35, 0.97), inside)
    iris = np.sqrt((side - f["gaze"] * np.sign(x)) ** 2 + (height - 0.01) ** 2)
    canvas = _over(canvas, f["iris"], inside * pen.fill(0.085 - iris))
    canvas = _over(canvas, 0.12, pen.stroke(height - top, 0.028, arch * f["eye_width"]))
    canvas = _over(canvas, f["skin"] * 0.6, 0.6 * pen.stroke(height - bottom, 0.02, arch * f["eye_width"]))

    along = (side - 0.01) / (1.25 * f["eye_width"])  # -1 at the inner end of the brow, 1 at the outer
    lift = f["brow_inner"] * (1 - along) / 2 + f["brow_outer"] * (1 + along) / 2
    line = -f["brow_height"] - lift - f["brow_arch"] * (1 - along * along)
    thick = f["brow_width"] * (1 - 0.35 * along)
    brow = pen.stroke(y - f["eye_y"] - line, thick, (1 - np.abs(along)) * f["eye_width"])
    canvas = _over(canvas, f["brow"], 0.9 * brow)

    rim = np.abs(np.sqrt((side / 1.25) ** 2 + (height - 0.02) ** 2) - 0.2)
    rims = np.maximum(pen.fill(0.02 - rim), pen.stroke(height + 0.03, 0.02, f["eye_gap"] - 0.22 - np.abs(x)))
    return _over(canvas, 0.1, f["glasses"] * rims)


def _mouth(pen: _Pen, canvas: Layer, f: Mapping[str, Layer], x: Layer, y: Layer) -> Layer:
    across = x / f["mouth_width"]
    arch = 1 - across * across
    ends = (1 - np.abs(across)) * f["mouth_width"]
    height = y - f["mouth_y"] + f["corner"] * (across * across - 0.35)
    top = -(0.35 * f["mouth_open"] + f["lip_raise"]) * arch
    bottom = (0.65 * f["mouth_open"] - 0.6 * f["lip_raise"]) * arch
    lip = f["lip"] * np.clip(arch, 0, None) + 0.005
    within = pen.fill(np.minimum(height - top + 0.8 * lip, bottom + 1.2 * lip - height)) * pen.fill(ends)
    canvas = _over(canvas, f["skin"] * f["lip_tone"], within)
    inside = pen.fill(np.minimum(height - top, bottom - height)) * pen.fill(ends)
    canvas = _over(canvas, 0.13, inside)
    teeth = pen.fill(top + f["teeth"] - height) * np.sign(f["teeth"])
    canvas = _over(canvas, np.minimum(f["skin"] + 0.4, 0.95), 0.95 * inside * teeth)
    canvas = _over(canvas, 0.15, 0.85 * pen.stroke(height - top, 0.024, ends))
    chin = pen.stroke(height - bottom - 0.16 + 0.05 * arch, 0.02, 0.6 * f["mouth_width"] - np.abs(x))
    return _over(canvas, f["skin"] * 0.7, 0.5 * chin)
