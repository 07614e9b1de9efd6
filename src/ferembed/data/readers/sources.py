"""One entrance to all readers: it looks at what it is given."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ferembed.data.dataset import DataError, FaceDataset
from ferembed.data.readers.drawn import drawn_faces
from ferembed.data.readers.fer2013 import FILE_NAMES, is_fer2013, load_fer2013
from ferembed.data.readers.folder import load_folder
from ferembed.data.readers.manifest import COLUMNS, PARQUET_SUFFIXES, load_manifest
from ferembed.data.readers.naming import ClassNames
from ferembed.data.tables import column_names

DRAWN = "drawn"
"""The name that stands for faces drawn on demand."""

VOTES_FILE = "fer2013new.csv"


def load_dataset(
    source: str | os.PathLike[str],
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
    size = {} if image_size is None else {"image_size": image_size}
    if source == DRAWN:
        _check_unnamed(DRAWN, classes)
        return drawn_faces(**size, **options)
    path, fer2013 = Path(source), options
    options = {**size, **({} if colour is None else {"colour": colour}), "classes": classes, **options}
    if path.is_dir():
        if any((path / name).is_file() for name in FILE_NAMES):
            _check_unnamed(path, classes)
            return _fer2013(path, fer2013)
        return load_folder(path, **options)
    if path.suffix.lower() in PARQUET_SUFFIXES and path.is_file():
        return load_manifest(path, **options)
    if path.suffix.lower() == ".csv" and path.is_file():
        if is_fer2013(path):
            _check_unnamed(path, classes)
            return _fer2013(path, fer2013)
        if not set(COLUMNS) & set(column_names(path)):
            manifest = ", ".join(COLUMNS)
            raise DataError(
                f"{path} has neither FER2013's columns (emotion, pixels, Usage) nor a manifest's ({manifest})."
            )
        return load_manifest(path, **options)
    problem = "is no csv, Parquet file or folder" if path.exists() else "does not exist"
    raise DataError(
        f"{path} {problem}: give fer2013.csv, a manifest ({', '.join(COLUMNS)}), a folder of images or {DRAWN!r}."
    )


def _check_unnamed(source: object, classes: ClassNames) -> None:
    if classes is not None:
        raise DataError(f"{source} has classes of its own: classes are named for folders and manifests.")


def _fer2013(path: Path, options: dict[str, Any]) -> FaceDataset:
    votes = (path if path.is_dir() else path.parent) / VOTES_FILE
    if votes.is_file():
        options = {"votes": votes, **options}
    return load_fer2013(path, **options)
