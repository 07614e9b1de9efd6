"""One entrance to all readers, a user's own among them: it asks each whether a source is for it."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypeVar

from ferembed.data.dataset import DataError, FaceDataset
from ferembed.data.readers.naming import ClassNames

Source: TypeAlias = str | os.PathLike[str]
Read = TypeVar("Read", bound=Callable[..., FaceDataset])


class _Reader(NamedTuple):
    what: str
    takes: Callable[[Source], bool]
    read: Callable[..., FaceDataset]


_READERS: dict[str, _Reader] = {}
"""By home and name of the function: one defined anew takes the place of its older self. The last is asked first."""


def reader(what: str, takes: Callable[[Source], bool]) -> Callable[[Read], Read]:
    """Make a function a reader: :func:`load_dataset`, and so the command line, call it for what it takes.

    Readers are asked one after the other, the last to be defined first and those of the library last.

    Parameters
    ----------
    what : str
        What it reads, as a sentence lists it: "a folder of images".
    takes : function of a path or str to bool
        Whether a source is for it.

    Returns
    -------
    decorator
        Of a function that takes the source and returns a FaceDataset. Those of the options ``image_size``, ``colour``
        and ``classes`` that it has, :func:`load_dataset` hands on to it.
    """

    def register(read: Read) -> Read:
        name = f"{read.__module__}.{read.__qualname__}"
        _READERS.pop(name, None)
        _READERS[name] = _Reader(what, takes, read)
        return read

    return register


def load_dataset(
    source: Source,
    *,
    image_size: int | None = None,
    colour: bool | None = None,
    classes: ClassNames = None,
    **options: Any,
) -> FaceDataset:
    """Load faces from whatever ``source`` is.

    ======================================================  ================================================
    source                                                  reader
    ======================================================  ================================================
    a csv with FER2013's columns, or a folder with          :func:`load_fer2013`, with the FER+ votes of a
    ``fer2013.csv`` or ``icml_face_data.csv``               ``fer2013new.csv`` beside it
    any other csv, or a Parquet file                        :func:`load_manifest`
    any other folder                                        :func:`load_folder`
    ``"drawn"``                                             :func:`drawn_faces`
    what a function of yours takes                          see :func:`reader`
    ======================================================  ================================================

    Parameters
    ----------
    source : path or "drawn"
        What to load.
    image_size : int, optional
        Side in pixels that files are scaled to and faces are drawn at; else the reader's default. FER2013 has 48.
    colour : bool, optional
        Whether files are read in colour; FER2013 and drawn faces are grey.
    classes : mapping or sequence of str, optional
        What the labels of a folder or manifest mean; see :func:`load_folder`.
    **options
        Passed on to the reader.

    Returns
    -------
    FaceDataset

    Raises
    ------
    DataError
        If ``source`` is none of these, or its reader refuses it.

    Examples
    --------
    >>> load_dataset("drawn", n=70)
    FaceDataset(70 images of 48 x 48, 7 classes; train 49, validation 14, test 7)
    """
    for each in reversed(_READERS.values()):
        if each.takes(source):
            known = inspect.signature(each.read).parameters
            if classes is not None and "classes" not in known:
                raise DataError(f"{source} has classes of its own: classes are named for folders and manifests.")
            asked = {"image_size": image_size, "colour": colour, "classes": classes}
            given = {name: value for name, value in asked.items() if value is not None and name in known}
            return each.read(source, **given, **options)
    known_sources = " or ".join(each.what for each in _READERS.values())
    raise DataError(f"{source} {_why_unread(Path(source))}: give {known_sources}.")


def _why_unread(path: Path) -> str:
    if not path.exists():
        return "does not exist"
    if path.suffix.lower() == ".csv":
        return "has neither FER2013's columns (emotion, pixels, Usage) nor a manifest's (path, label, split)"
    return "is no csv, Parquet file or folder"
