"""FER2013 as Kaggle publishes it: one csv with a face a row, its pixels written out as text."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferembed.data.csv_files import column_names, read_rows, shown, whole_number
from ferembed.data.dataset import SPLITS, DataError, FaceDataset
from ferembed.data.errors import fault
from ferembed.data.readers._cache import Arrays, cached
from ferembed.data.readers.naming import USAGES
from ferembed.data.readers.sources import Source, reader
from ferembed.labels import FER2013_CLASSES
from ferembed.progress import progress

SIDE = 48
"""Height and width of every FER2013 image, in pixels."""

FILE_NAMES: tuple[str, ...] = ("fer2013.csv", "icml_face_data.csv")
VOTES_FILE = "fer2013new.csv"
COLUMNS: tuple[str, ...] = ("emotion", "Usage", "pixels")

_PIXEL_BYTES = b"0123456789 "


def load_fer2013(
    path: str | os.PathLike[str],
    votes: str | os.PathLike[str] | None = None,
    *,
    vote_mode: str = "probability",
    split: str | None = None,
    cache: bool = True,
) -> FaceDataset:
    """Read FER2013, and FER+ beside it where wanted.

    Parameters
    ----------
    path : path
        ``fer2013.csv`` (columns ``emotion,pixels,Usage``), ``icml_face_data.csv`` (the same columns in another order,
        with blanks in their names), or a folder that holds one of them.
    votes : path, optional
        ``fer2013new.csv``, the FER+ votes. The csv must hold whole splits in their original order, since the two files
        are aligned by row.
    vote_mode : {"probability", "majority", "multi_target"}
        How FER+ counts become distributions; see :func:`~ferembed.data.vote_distributions`.
    split : {"train", "validation", "test"}, optional
        Only the rows of this split.
    cache : bool
        Keep the parsed pixels in a checksummed folder beside the csv (where that is not writable, in
        ``$XDG_CACHE_HOME/ferembed`` or ``~/.cache/ferembed``), and use it while the csv's SHA-256 stays the same.

    Returns
    -------
    FaceDataset
        Images (n, 48, 48) of uint8; labels over :data:`~ferembed.labels.FER2013_CLASSES`; Training, PublicTest and
        PrivateTest as splits ``train``, ``validation`` and ``test``; with ``votes``, distributions (n, 8) over
        :data:`~ferembed.labels.FERPLUS_CLASSES`. ``ids`` count the csv's rows from 0.

    Raises
    ------
    DataError
        If the file is absent, empty, cut off or no FER2013 csv; if a row has a wrong number of pixels, a value that is
        no integer from 0 to 255, an unknown emotion code or an unknown Usage (the sentence names file, row and
        column); if the votes do not fit; if the file lacks ``split``.

    References
    ----------
    Goodfellow et al., "Challenges in Representation Learning: A report on three machine learning contests", 2013.

    Examples
    --------
    >>> import tempfile
    >>> row = " ".join(["128"] * 2304)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "fer2013.csv"
    ...     _ = file.write_text(f"emotion,pixels,Usage\\n3,{row},Training\\n6,{row},PublicTest\\n")
    ...     load_fer2013(folder)
    FaceDataset(2 images of 48 x 48, 7 classes; train 1, validation 1, 2 blank)
    """
    file = _csv_of(Path(path))
    if file is None:
        raise DataError(f"{path} holds neither {' nor '.join(FILE_NAMES)}.")
    arrays = cached(file, lambda: _parse(file)) if cache and file.is_file() else _parse(file)
    dataset = FaceDataset(
        images=arrays["images"].reshape(-1, SIDE, SIDE),
        labels=arrays["emotions"],
        classes=FER2013_CLASSES,
        splits=np.array(SPLITS)[arrays["usages"]],
        source=str(file),
    )
    if votes is not None:
        from ferembed.data.readers.ferplus import add_votes

        dataset = add_votes(dataset, Path(votes), vote_mode)
    return dataset if split is None else dataset.split(split)


def _csv_of(path: Path) -> Path | None:
    """The FER2013 csv that a folder holds; any other path is one itself, or none."""
    if not path.is_dir():
        return path
    return next((path / name for name in FILE_NAMES if (path / name).is_file()), None)


def _is_fer2013(source: Source) -> bool:
    path = Path(source)
    if path.suffix.lower() == ".csv" and path.is_file():
        return set(COLUMNS) <= set(column_names(path))
    return path.is_dir() and _csv_of(path) is not None


@reader("fer2013.csv", takes=_is_fer2013)
def _with_votes_beside(source: Source, **options: Any) -> FaceDataset:
    path = Path(source)
    votes = (path if path.is_dir() else path.parent) / VOTES_FILE
    return load_fer2013(path, **{"votes": votes if votes.is_file() else None, **options})


def _parse(path: Path) -> Arrays:
    pixels, emotions, usages = bytearray(), bytearray(), bytearray()
    emotion_codes = {str(code): code for code in range(len(FER2013_CLASSES))}
    usage_codes = {usage: code for code, usage in enumerate(USAGES)}
    with progress(f"Reading {path.name}", path.stat().st_size if path.is_file() else 0) as report:
        done = 0
        for row, (emotion, usage, text) in read_rows(path, COLUMNS):
            if emotion not in emotion_codes:
                known = ", ".join(f"{code} ({name})" for code, name in enumerate(FER2013_CLASSES))
                raise fault(path, row, "emotion", f"{shown(emotion)} is not a code of {known}")
            if usage not in usage_codes:
                raise fault(path, row, "Usage", f"{shown(usage)} is none of {', '.join(USAGES)}")
            emotions.append(emotion_codes[emotion])
            usages.append(usage_codes[usage])
            pixels += _pixels(path, row, text).tobytes()
            done += len(text)
            report(done)
    if not emotions:
        raise DataError(f"{path} has a header but no rows.")
    return {
        "images": np.frombuffer(pixels, np.uint8).reshape(-1, SIDE * SIDE),
        "emotions": np.frombuffer(emotions, np.uint8),
        "usages": np.frombuffer(usages, np.uint8),
    }


def _pixels(path: Path, row: int, text: str) -> NDArray[np.uint8]:
    digits = text.encode()
    if digits and not digits.translate(None, _PIXEL_BYTES):
        values = np.fromstring(digits, dtype=np.int64, sep=" ")
        if len(values) == SIDE * SIDE and values.max() <= 255:
            return values.astype(np.uint8)
    return _pixels_one_by_one(path, row, text)


def _pixels_one_by_one(path: Path, row: int, text: str) -> NDArray[np.uint8]:
    """What :func:`_pixels` means, slowly: it finds the pixel at fault."""
    values = []
    for place, word in enumerate(text.split(), start=1):
        value = whole_number(word, 255)
        if value is None:
            problem = f"pixel {place} is {shown(word)}, not an integer from 0 to 255"
            raise fault(path, row, "pixels", problem)
        values.append(value)
    if len(values) != SIDE * SIDE:
        raise fault(path, row, "pixels", f"{len(values)} pixels, not {SIDE * SIDE} ({SIDE} x {SIDE})")
    return np.array(values, dtype=np.uint8)
