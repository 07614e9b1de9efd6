"""What an audit found as tables that any program opens, and how a face is named where people read."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ferembed.storage import write_text

if TYPE_CHECKING:
    from ferembed.auditing.findings import AuditReport
    from ferembed.data.dataset import FaceDataset

Cells = Iterable[object]


class Places:
    """Where the faces of a data set come from, by their ids."""

    def __init__(self, faces: FaceDataset) -> None:
        self._faces = faces
        self._row = {number: row for row, number in enumerate(faces.ids.tolist())}

    def row(self, number: int) -> int:
        """The face's row in the data set."""
        return self._row[number]

    def name(self, number: int) -> str:
        """The face's file, from the data set's folder on where it lies there, or its row in the file it is from."""
        if self._faces.paths is None:
            return f"row {number}"
        path, source = Path(self._faces.paths[self.row(number)]), Path(self._faces.source or os.curdir)
        return str(path.relative_to(source) if path.is_relative_to(source) else path)

    def cells(self, number: int) -> list[object]:
        """Row in its source, file and split."""
        row = self.row(number)
        path = "" if self._faces.paths is None else self._faces.paths[row]
        return [number, path, self._faces.splits[row]]


def write_lists(report: AuditReport, faces: FaceDataset, folder: Path) -> None:
    """Write ``copies.csv``, ``near_copies.csv``, ``outliers.csv`` and, where labels were judged, ``labels.csv``.

    Each face is named by ``row``, its number in its source, and ``file``, which is empty where faces are not files.
    """
    places, copies, outliers, labels = Places(faces), report.copies, report.outliers, report.labels
    face = ("row", "file", "split")
    members = zip(copies.groups, copies.ids.tolist(), copies.labels, copies.exact, strict=True)
    _write(
        folder / "copies.csv",
        ("group", *face, "label", "identical_to_row"),
        ([group, *places.cells(number), label, exact] for group, number, label, exact in members),
    )
    pairs = zip(copies.pairs.tolist(), copies.detail, copies.shifts, copies.scales, strict=True)
    _write(
        folder / "near_copies.csv",
        (*face, "other_row", "other_file", "other_split", "detail", "down", "across", "scale_down", "scale_across"),
        (
            [*places.cells(first), *places.cells(second), *(f"{value:.4f}" for value in (detail, *shift, *scale))]
            for (first, second), detail, shift, scale in pairs
        ),
    )
    odd = zip(outliers.ids.tolist(), outliers.kinds, outliers.scores, strict=True)
    _write(
        folder / "outliers.csv",
        (*face, "kind", "score"),
        ([*places.cells(number), kind, f"{score:.4f}"] for number, kind, score in odd),
    )
    if labels is None:
        (folder / "labels.csv").unlink(missing_ok=True)
    else:
        doubted = zip(labels.ids.tolist(), labels.given, labels.suggested, labels.scores, labels.confident, strict=True)
        _write(
            folder / "labels.csv",
            (*face, "label", "suggestion", "score", "confident"),
            (
                [*places.cells(number), given, suggested, f"{score:.6f}", confident]
                for number, given, suggested, score, confident in doubted
            ),
        )


def _write(path: Path, head: Cells, rows: Iterable[Cells]) -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(head)
    table.writerows(rows)
    write_text(path, text.getvalue())
