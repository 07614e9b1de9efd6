"""Which photos, videos and cameras a command line names."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ferembed.data.images import SUFFIXES
from ferembed.video.reading import is_video

STDIN = "-"
PHOTOS = (*SUFFIXES, ".gif", ".avif", ".heic", ".heif", ".jfif", ".jp2", ".pbm", ".pgm", ".ppm", ".tga")
"""The file names that count as photos where a folder is named, in lower case; Pillow reads .heic with a plug-in."""


class Named(NamedTuple):
    """One thing to be looked at, or why there is none."""

    name: str
    camera: int | None = None
    problem: str = ""

    @property
    def moves(self) -> bool:
        """Whether it is a video or a camera."""
        return self.camera is not None or is_video(self.name)


def named(arguments: Sequence[str]) -> list[Named]:
    """Photos, videos and cameras in the order of the arguments; those of a folder or pattern by their names."""
    return [each for argument in arguments for each in _named(argument)]


def looks_like_one(argument: str) -> bool:
    """Whether an argument is there to be looked at or, by its name, was meant to be."""
    path = Path(argument)
    return (
        argument == STDIN
        or argument.isdecimal()
        or path.exists()
        or path.suffix.lower() in PHOTOS
        or is_video(path)
        or glob.has_magic(argument)
    )


def _named(argument: str) -> Iterator[Named]:
    path = Path(argument)
    if argument == STDIN:
        yield Named(argument)
    elif path.is_dir():
        yield from _inside(path)
    elif path.exists() or path.is_symlink():
        yield Named(argument)
    elif argument.isdecimal():
        yield Named(f"camera {argument}", int(argument))
    elif glob.has_magic(argument):
        matched = sorted(glob.glob(argument, recursive=True))
        yield from dict.fromkeys(one for each in matched for one in _named(each))  # ** matches folders, too
        if not matched:
            yield Named(argument, problem=f"no file matches {argument}.")
    else:
        yield Named(argument, problem=f"there is no file {argument}.")


def _inside(folder: Path) -> Iterator[Named]:
    """The photos and videos of a folder and the folders in it; what is hidden is left out."""
    files: list[Path] = []
    unread: list[OSError] = []
    for place, folders, names in os.walk(folder, onerror=unread.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [Path(place, name) for name in names if not name.startswith(".")]
    found = [Named(str(path)) for path in sorted(files) if path.suffix.lower() in PHOTOS or is_video(path)]
    found += [
        Named(str(error.filename), problem=f"{error.filename} cannot be read ({error.strerror}).") for error in unread
    ]
    nothing = f"{folder} holds no photo and no video, and is no recogniser."
    yield from found or [Named(str(folder), problem=nothing)]
