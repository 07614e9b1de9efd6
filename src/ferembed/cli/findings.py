"""What ``ferembed predict`` found, as tables, JSON or CSV."""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Protocol

from ferembed.cli.console import printable, show
from ferembed.probability import most_probable

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.table import Table

    from ferembed.cli.photos import Named
    from ferembed.recognizer import Face
    from ferembed.video import SeenFace, Timeline, VideoFrame

NOBODY = "no face found"
HEADINGS = ("photo", "face", "expression", "most probable", "nearest training faces", "seen")


class Findings(Protocol):
    """What takes the answers one by one."""

    streams: bool
    """Whether each answer is printed as it comes."""

    def photo(self, one: Named, faces: Sequence[Face]) -> None:
        """The faces of a photo, from left to right."""

    def frame(self, one: Named, frame: VideoFrame) -> None:
        """One frame of a video, as it comes."""

    def video(self, one: Named, timeline: Timeline) -> None:
        """The faces of a video that has ended."""

    def problem(self, one: Named, sentence: str) -> None:
        """Why there is no answer."""

    def end(self) -> None:
        """All have been asked."""


class Tables:
    """For people: all there is to say of the one face of one photo, or else one row a face."""

    streams = False

    def __init__(self, classes: Sequence[str], asked: int) -> None:
        self._classes, self._alone = classes, asked == 1
        self._rows: list[tuple[str, ...]] = []
        self._labels: dict[tuple[str, int], str] = {}
        self._empty = False

    def photo(self, one: Named, faces: Sequence[Face]) -> None:
        if self._alone and len(faces) == 1:
            show(face_table(one.name, faces[0], self._classes))
            return
        self._empty |= not faces
        self._add(
            one,
            [(str(n), face.label, self._shares(face.probabilities), _near(face), "") for n, face in enumerate(faces, 1)]
            or [("", NOBODY, "", "", "")],
        )

    def frame(self, one: Named, frame: VideoFrame) -> None:
        """Of a camera, whose end nobody waits for: what has changed."""
        if one.camera is None:
            return
        for face in frame.faces:
            if self._labels.get((one.name, face.number)) != face.label:
                self._labels[one.name, face.number] = face.label
                print(f"{frame.time:7.1f} s  face {face.number}: {face.label} {face.smoothed.max():.0%}", flush=True)

    def video(self, one: Named, timeline: Timeline) -> None:
        rows = [
            (str(face.number), face.label, self._shares(face.probabilities), "", _seen(face)) for face in timeline.faces
        ]
        if timeline.left_out:
            rows.append(("", f"and {timeline.left_out} more", "", "", "for a shorter time"))
        self._add(one, rows or [("", NOBODY, "", "", f"{timeline.frames} frames")])

    def problem(self, one: Named, sentence: str) -> None:
        """Standard error has it."""

    def end(self) -> None:
        from rich.table import Table

        if not self._rows:
            return
        table = Table()
        columns = [column for column in zip(HEADINGS, *self._rows, strict=True) if any(column[1:])]
        for heading, *_ in columns:
            table.add_column(heading, overflow="fold")
        for cells in list(zip(*columns, strict=True))[1:]:
            table.add_row(*cells)
        show(table, folds=True)
        if self._empty:
            show("Is a picture a face already, without surroundings? Ask it with --crop.")

    def _add(self, one: Named, rows: Sequence[tuple[str, ...]]) -> None:
        """A row a face; the name stands by the first."""
        self._rows += [("" if place else printable(one.name), *row) for place, row in enumerate(rows)]

    def _shares(self, proba: NDArray[Any]) -> str:
        return ", ".join(f"{self._classes[place]} {proba[place]:.1%}" for place in _falling(proba)[:2])


class Json:
    """One array of photos and videos on standard output."""

    streams = True

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes, self._begun = classes, False

    def photo(self, one: Named, faces: Sequence[Face]) -> None:
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
        self._add({"photo": one.name, "faces": found})

    def frame(self, one: Named, frame: VideoFrame) -> None:
        """The whole video has its faces; each frame, ``--csv``."""

    def video(self, one: Named, timeline: Timeline) -> None:
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
        self._add({"video": one.name, "frames": timeline.frames, "faces": found})

    def problem(self, one: Named, sentence: str) -> None:
        self._add({"video" if one.moves else "photo": one.name, "error": sentence})

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

    streams = True

    def __init__(self, classes: Sequence[str]) -> None:
        self._table = csv.writer(sys.stdout, lineterminator="\n")
        self._empty = [""] * (len(classes) + 8)
        self._table.writerow(
            ["photo", "time", "face", "left", "upper", "right", "lower", "score", "label", *classes],
        )

    def photo(self, one: Named, faces: Sequence[Face]) -> None:
        for number, face in enumerate(faces, 1):
            self._row(one.name, "", number, face, face.probabilities)
        if not faces:
            self._table.writerow([one.name, *self._empty])

    def frame(self, one: Named, frame: VideoFrame) -> None:
        for face in frame.faces:
            self._row(one.name, f"{frame.time:.4f}", face.number, face, face.smoothed)

    def video(self, one: Named, timeline: Timeline) -> None:
        if not timeline.faces:
            self._table.writerow([one.name, *self._empty])

    def problem(self, one: Named, sentence: str) -> None:
        """Standard error has it."""

    def end(self) -> None:
        sys.stdout.flush()

    def _row(self, name: str, time: str, number: int, face: Any, shares: NDArray[Any]) -> None:
        probabilities = [f"{share:.5f}" for share in shares]
        self._table.writerow([name, time, number, *face.box, f"{face.score:.3f}", face.label, *probabilities])


def face_table(name: str, face: Face, classes: Sequence[str]) -> Table:
    """Classes by falling probability; beside them the nearest training faces."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text.assemble(f"{printable(name)}: ", (face.label, "bold")), title_justify="left")
    table.add_column("class")
    table.add_column("probability", justify="right")
    near = [f"row {row}  {label}  (cosine {cosine:.3f})" for cosine, label, row in zip(*face.nearest, strict=True)]
    if near:
        table.add_column("nearest training faces")
    shares = [(classes[place], f"{face.probabilities[place]:.1%}") for place in _falling(face.probabilities)]
    for share, neighbor in zip_longest(shares, near, fillvalue=""):
        table.add_row(*(share or ("", "")), *([neighbor] if near else []))
    return table


def _near(face: Face) -> str:
    """How many of the nearest faces have which label."""
    return ", ".join(f"{count} {label}" for label, count in Counter(face.nearest.labels.tolist()).most_common())


def _seen(face: SeenFace) -> str:
    return f"{face.start:.1f} to {face.end:.1f} s, {face.frames} frames"


def _falling(proba: NDArray[Any]) -> list[int]:
    """Numbers of the classes, the most probable first."""
    best = int(most_probable(proba[None])[0])
    return sorted(range(len(proba)), key=lambda place: (place != best, -proba[place]))
