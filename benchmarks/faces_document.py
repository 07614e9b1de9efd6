"""The figures of ``benchmarks/faces.py`` as Markdown, and some of its boxes as a picture."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferembed.evaluation.plots.canvas import new_figure
from ferembed.evaluation.sheets import save_figure
from ferembed.faces import FaceCropper

# ruff: noqa: E501
TEXT = """# Faces in photos: finding, framing, aligning, light

`{command}`, one thread ({processor}): {faces} frames of PublicTest, enlarged and bordered as the head of the script says, and the recogniser that ships. Defaults: margin {margin}, shift {shift}, threshold {threshold}. PublicTest also calibrated this recogniser, so differences count here, not the figures themselves; in brackets the standard error of a difference.

## Found, and false alarms

Faces found in the pictures, in a thousand of them cut into shuffled tiles, and boxes beside faces in three photos at nine sizes each.

{found}

## Framing

{framing}

## Cutting out again

Change of the vote's accuracy, in points, against the very same faces as they are ({sure} of them, {sure_unique} without a copy).

{cutting}

## Aligning

Faces as the detector finds them in upright pictures, and in pictures turned by {turn} degrees; against the same faces as they are, upright.

{aligning}

## Light

{light}

## Cost

{cost}
"""

HEAD = ["vote", "k-NN", "NLL", "change", "no copy: vote", "k-NN", "NLL", "change"]


def document(result: dict[str, Any]) -> str:
    """The whole page."""
    machine, best = result["machine"], result["framing"]
    plain = result["as they are"]
    framings = {
        "all boxes": best["best"],
        "one half": best["halves"][0],
        "other half": best["halves"][1],
        "`upsample=1`": best["upsample 1"],
    }
    cutting = {"as they are": plain}
    cutting |= {f"margin {m}, shift {best['best']['shift']}": each for m, each in result["margins"].items()}
    cutting |= {f"margin {best['best']['margin']}, shift {s}": each for s, each in result["shifts"].items()}
    cutting |= {f"whole frame, {z} of its side": each for z, each in result["zooms"].items()}
    aligning = {
        f"{'upright' if not int(degrees) else 'turned'}: {name}": figures[name]
        for degrees, figures in result["aligning"].items()
        for name in ("as they are", "cut", "cut and aligned")
    }
    tilts = ", ".join(
        f"{figures['tilt']:.1f} degrees in {'upright' if not int(degrees) else 'turned'} pictures"
        for degrees, figures in result["aligning"].items()
    )
    times = result["milliseconds"]
    return TEXT.format(
        command=machine["command"],
        processor=machine["processor"],
        faces=result["faces"],
        **result["defaults"],
        found=_found(result["found"]),
        framing=_table(
            ["boxes", "margin", "shift", "mean overlap with the frame"],
            ([name, f["margin"], f["shift"], f"{f['iou']:.3f}"] for name, f in framings.items()),
        ),
        sure=plain["all"]["faces"],
        sure_unique=plain["no_copy"]["faces"],
        cutting=_figures(cutting),
        turn=max(int(degrees) for degrees in result["aligning"]),
        aligning=_figures(aligning) + f"\n\nMedian tilt of the line of the eyes: {tilts}.",
        light=_figures(result["light"]),
        cost=_table(
            ["", "ms", "of the encoder's time for one face"],
            ([name, f"{ms:.1f}", f"{ms / times['encoder, one face']:.1f}"] for name, ms in times.items()),
        ),
    )


def _found(found: dict[str, Any]) -> str:
    rows = (
        [upsample, threshold, f"{f['found']:.1f}%", f"{f['in_tiles']:.1f}%", f["in_photos"]]
        for upsample, figures in found.items()
        for threshold, f in figures.items()
    )
    return _table(["upsample", "threshold", "found", "in shuffled tiles", "in 27 photos"], rows)


def _figures(rows: dict[str, Any]) -> str:
    return _table(
        ["", "faces", *HEAD],
        (
            [name, each["all"]["faces"], *(cell for column in ("all", "no_copy") for cell in _cells(each[column]))]
            for name, each in rows.items()
        ),
    )


def _cells(figures: dict[str, float]) -> list[str]:
    change = f"{figures['change']:+.1f} ({figures['standard_error']:.1f})"
    return [f"{figures['vote']:.1f}", f"{figures['knn']:.1f}", f"{figures['nll']:.3f}", change]


def _table(head: list[str], rows: Iterable[list[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def draw(frames: NDArray[np.uint8], boxes: NDArray[np.float64], out: Path) -> None:
    """Twelve frames with the detector's box, (n, 4) in sides of the frame, and the square that is cut."""
    shown = np.flatnonzero(np.isfinite(boxes[:, 0]))[:12]
    cropper, figure = FaceCropper(), new_figure((9, 3.2))
    for ax, row in zip(figure.subplots(2, 6).ravel(), shown, strict=False):
        left, upper, right, lower = boxes[row]
        side = right - left
        wide, y = side * (1 + 2 * cropper.margin), (upper + lower) / 2 + cropper.shift * side
        ax.imshow(np.pad(frames[row], 12, mode="edge"), cmap="gray", extent=(-0.25, 1.25, 1.25, -0.25), alpha=0.5)
        ax.imshow(frames[row], cmap="gray", extent=(0, 1, 1, 0))
        for corner, size, colour in (
            ((left, upper), side, "tab:orange"),
            (((left + right - wide) / 2, y - wide / 2), wide, "tab:cyan"),
        ):
            ax.add_patch(_rectangle(corner, size, colour))
        ax.set(xlim=(-0.25, 1.25), ylim=(1.25, -0.25), xticks=[], yticks=[])
    save_figure(figure, out, dpi=96)


def _rectangle(corner: tuple[float, float], size: float, colour: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(corner, size, size, fill=False, edgecolor=colour, linewidth=1.5)
