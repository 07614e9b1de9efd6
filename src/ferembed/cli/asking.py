"""Photos, videos and cameras asked one after another, whatever any of them holds."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ferembed.cli.console import complain
from ferembed.cli.photos import STDIN, Named
from ferembed.data.errors import DataError
from ferembed.progress import progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ferembed.cli.findings import Findings
    from ferembed.faces.cropper import FindFaces
    from ferembed.recognizer import Face, Recognizer


class Copies:
    """Where the copies in a folder go: each has a name of its own, and none that of a photo that is asked.

    Raises
    ------
    DataError
        If the folder cannot be made or written to.
    """

    def __init__(self, folder: Path, asked: Iterable[Named]) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{folder} cannot be made ({error.strerror}): name another folder for copies.") from error
        if not os.access(folder, os.W_OK):
            raise DataError(f"{folder} cannot be written to: name another folder for copies.")
        self._folder = folder
        self._taken = {_key(Path(one.name).parent, Path(one.name).stem) for one in asked}

    def place(self, name: str) -> str:
        """The path for a copy of something of this name, without a suffix."""
        stem = plain = "stdin" if name == STDIN else Path(name).stem
        count = 1
        while (key := _key(self._folder, stem)) in self._taken:
            count += 1
            stem = f"{plain}-{count}"
        self._taken.add(key)
        return str(self._folder / stem)


@dataclass
class Asking:
    """Asks a recogniser, and passes on what it answers."""

    recognizer: Recognizer
    findings: Findings
    faces: FindFaces
    _: KW_ONLY
    max_error: float | None
    neighbors: int
    every: int
    copies: Copies | None
    _missing: set[str] = field(default_factory=set)
    """What was said of packages that are not installed."""

    def all(self, asked: Sequence[Named]) -> bool:
        """Whether there was an answer to each."""
        answered: list[bool] = []
        try:
            for moves, some in groupby(asked, key=lambda one: one.moves):
                if moves:  # each video shows a bar of its own
                    answered += [self._answered(one) for one in some]
                else:
                    answered += self._photos(list(some))
        finally:
            self.findings.end()
        return all(answered)

    def _photos(self, photos: Sequence[Named]) -> list[bool]:
        if self.findings.streams and sys.stdout.isatty():  # the answers themselves show that something moves
            return [self._answered(one) for one in photos]
        with progress("Looking at photos", len(photos)) as report:
            return [(self._answered(one), report(done))[0] for done, one in enumerate(photos, 1)]

    def _answered(self, one: Named) -> bool:
        """Whether there was an answer; why not is said."""
        try:
            with warnings.catch_warnings():
                warnings.showwarning = lambda message, *_, **__: complain(_about(one, message))
                self._ask(one)
        except BrokenPipeError:  # nobody reads on
            raise
        except (ValueError, OSError) as error:
            complain(_about(one, error))
            self.findings.problem(one, str(error))
        except ImportError as error:
            if "pip install" not in str(error):
                raise
            if str(error) not in self._missing:
                self._missing.add(str(error))
                complain(error)
            self.findings.problem(one, str(error))
        else:
            return True
        return False

    def _ask(self, one: Named) -> None:
        if one.problem:
            raise DataError(one.problem)
        if one.moves:
            self._video(one)
        else:
            self._photo(one)

    def _photo(self, one: Named) -> None:
        from ferembed.faces import read_photo

        pixels = read_photo(sys.stdin.buffer if one.name == STDIN else one.name)
        faces = self.recognizer.recognize(pixels, faces=self.faces, max_error=self.max_error, neighbors=self.neighbors)
        if self.copies is not None:
            _write_annotated(pixels, faces, self.recognizer.classes_.tolist(), self.copies.place(one.name) + ".jpg")
        self.findings.photo(one, faces)

    def _video(self, one: Named) -> None:
        from ferembed.video import write_video_results

        if self.max_error is not None:
            raise DataError(f"{one.name} moves, and --max-error is for photos: ask it without.")
        files: dict[str, Any] = {}
        if self.copies is not None:
            place = self.copies.place(one.name)
            files = {"annotate": f"{place}.mp4", "csv": f"{place}.csv", "plot": f"{place}.png"}
        timeline = write_video_results(
            self.recognizer,
            one.name if one.camera is None else one.camera,
            watch=lambda frame: self.findings.frame(one, frame),
            faces=self.faces,
            every=self.every,
            **files,
        )
        self.findings.video(one, timeline)


def _write_annotated(pixels: NDArray[Any], faces: list[Face], classes: list[str], target: str) -> None:
    from ferembed.faces.drawing import draw_faces
    from ferembed.storage import atomic_path

    with atomic_path(target) as draft:
        draw_faces(pixels, faces, classes).save(draft, "JPEG", quality=92)


def _about(one: Named, problem: object) -> str:
    """A sentence that names what it is about."""
    return str(problem) if one.name in str(problem) else f"{one.name}: {problem}"


def _key(folder: Path, stem: str) -> str:
    """What names the same file on every system."""
    return os.path.join(os.path.realpath(folder), stem).casefold()
