"""What ``ferembed predict`` found, as tables, JSON or CSV."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ferembed.cli.console import show
from ferembed.probability import most_probable

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.table import Table

    from ferembed.recognizer import Face
    from ferembed.video import Timeline, VideoFrame

NOBODY = "no face found; a picture that is a face already is asked with --crop"


class Findings(Protocol):
    """What takes the answers one by one."""

    def photo(self, name: str, faces: Sequence[Face]) -> None:
        """The faces of a photo, from left to right."""

    def frame(self, name: str, frame: VideoFrame) -> None:
        """One frame of a video, as it comes."""

    def video(self, name: str, timeline: Timeline) -> None:
        """The faces of a video that has ended."""

    def problem(self, name: str, sentence: str) -> None:
        """Why there is no answer."""

    def end(self) -> None:
        """All have been asked."""


class Tables:
    """For a terminal: all there is to say of one photo, or one row a face of several."""

    def __init__(self, classes: Sequence[str], asked: int) -> None:
        self._classes, self._alone = classes, asked == 1
        self._rows: list[list[str]] = []
        self._labels: dict[tuple[str, int], str] = {}

    def photo(self, name: str, faces: Sequence[Face]) -> None:
        if not faces:
            self._rows.append([name, "", NOBODY])
        for number, face in enumerate(faces, 1):
            if self._alone:
                show(face_table(f"{name}, face {number} of {len(faces)}", face, self._classes))
            else:
                nearest = ", ".join(face.nearest.labels.tolist())
                self._rows.append([name, str(number), face.label, *self._shares(face.probabilities), nearest])

    def frame(self, name: str, frame: VideoFrame) -> None:
        """Of a camera, whose end nobody waits for: what has changed."""
        if not name.startswith("camera "):
            return
        for face in frame.faces:
            if self._labels.get((name, face.number)) != face.label:
                self._labels[name, face.number] = face.label
                show(f"{frame.time:7.1f} s  face {face.number}: {face.label} {face.smoothed.max():.0%}")

    def video(self, name: str, timeline: Timeline) -> None:
        if not timeline.faces:
            self._rows.append([name, "", f"no face found in {timeline.frames} frames"])
        for face in timeline.faces:
            seen = f"{face.start:.1f} to {face.end:.1f} s, {face.frames} frames"
            self._rows.append([name, str(face.number), face.label, *self._shares(face.probabilities), seen])

    def problem(self, name: str, sentence: str) -> None:
        """Standard error has it."""

    def end(self) -> None:
        from rich.table import Table

        if not self._rows:
            return
        table = Table()
        for heading in ("photo", "face", "expression", "probability", "next", "nearest training faces, or when"):
            table.add_column(heading, overflow="fold")
        for row in self._rows:
            table.add_row(*row)
        show(table)

    def _shares(self, proba: NDArray[Any]) -> tuple[str, str]:
        first, second = _falling(proba)[:2]
        return f"{proba[first]:.1%}", f"{self._classes[second]} {proba[second]:.1%}"


class Json:
    """One array of photos and videos on standard output."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes, self._begun = classes, False

    def photo(self, name: str, faces: Sequence[Face]) -> None:
        found = [
            {
                "face": number,
                "box": list(face.box),
                "score": face.score,
                "label": face.label,
                "probabilities": self._shares(face.probabilities),
                "nearest": [
                    {"label": str(label), "similarity": float(similarity), "row": int(row)}
                    for similarity, label, row in zip(*face.nearest, strict=True)
                ],
            }
            for number, face in enumerate(faces, 1)
        ]
        self._add({"photo": name, "faces": found})

    def frame(self, name: str, frame: VideoFrame) -> None:
        """The whole video has its faces; each frame, ``--csv``."""

    def video(self, name: str, timeline: Timeline) -> None:
        found = [
            {
                "face": face.number,
                "start": face.start,
                "end": face.end,
                "frames": face.frames,
                "label": face.label,
                "probabilities": self._shares(face.probabilities),
            }
            for face in timeline.faces
        ]
        self._add({"video": name, "frames": timeline.frames, "faces": found})

    def problem(self, name: str, sentence: str) -> None:
        self._add({"photo": name, "error": sentence})

    def end(self) -> None:
        print("\n]" if self._begun else "[]")

    def _add(self, entry: dict[str, Any]) -> None:
        print(",\n" if self._begun else "[\n", end="")
        print(json.dumps(entry), end="", flush=True)
        self._begun = True

    def _shares(self, proba: NDArray[Any]) -> dict[str, float]:
        return {name: float(share) for name, share in zip(self._classes, proba, strict=True)}


class Csv:
    """One row a face on standard output, of a video one row a face a frame; a photo without faces has an empty one."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._table = csv.writer(sys.stdout, lineterminator="\n")
        self._empty = [""] * (len(classes) + 8)
        self._table.writerow(
            ["photo", "time", "face", "left", "upper", "right", "lower", "score", "label", *classes],
        )

    def photo(self, name: str, faces: Sequence[Face]) -> None:
        for number, face in enumerate(faces, 1):
            self._row(name, "", number, face, face.probabilities)
        if not faces:
            self._table.writerow([name, *self._empty])

    def frame(self, name: str, frame: VideoFrame) -> None:
        for face in frame.faces:
            self._row(name, f"{frame.time:.4f}", face.number, face, face.smoothed)

    def video(self, name: str, timeline: Timeline) -> None:
        if not timeline.faces:
            self._table.writerow([name, *self._empty])

    def problem(self, name: str, sentence: str) -> None:
        """Standard error has it."""

    def end(self) -> None:
        sys.stdout.flush()

    def _row(self, name: str, time: str, number: int, face: Any, shares: NDArray[Any]) -> None:
        probabilities = [f"{share:.5f}" for share in shares]
        self._table.writerow([name, time, number, *face.box, f"{face.score:.3f}", face.label, *probabilities])


def face_table(title: str, face: Face, classes: Sequence[str]) -> Table:
    """Classes by falling probability; beside them the nearest training faces."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text.assemble(f"{title}: ", (face.label, "bold")), title_justify="left")
    table.add_column("class")
    table.add_column("probability", justify="right")
    near = [f"row {row}  {label}  (cosine {cosine:.3f})" for cosine, label, row in zip(*face.nearest, strict=True)]
    if near:
        table.add_column("nearest training faces")
    order = _falling(face.probabilities)
    for line in range(max(len(order), len(near))):
        cells = [classes[order[line]], f"{face.probabilities[order[line]]:.1%}"] if line < len(order) else ["", ""]
        table.add_row(*cells, *([near[line] if line < len(near) else ""] if near else []))
    return table


def _falling(proba: NDArray[Any]) -> list[int]:
    """Numbers of the classes, the most probable first."""
    best = int(most_probable(proba[None])[0])
    return sorted(range(len(proba)), key=lambda place: (place != best, -proba[place]))
