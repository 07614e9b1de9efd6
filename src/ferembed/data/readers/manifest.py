"""Tables of image files: path, label, split."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ferembed.data.csv_files import column_names, column_places, read_rows
from ferembed.data.dataset import DataError, FaceDataset
from ferembed.data.errors import fault
from ferembed.data.image_files import ImageFiles, Listing
from ferembed.data.readers.naming import SPLIT_NAMES, ClassNames, class_name, class_order, known_names, split_name
from ferembed.data.readers.sources import Source, reader
from ferembed.probability import class_codes

COLUMNS: tuple[str, ...] = ("path", "label", "split")
PARQUET_SUFFIXES: tuple[str, ...] = (".parquet", ".pq")


class _Face(NamedTuple):
    row: int
    path: Path
    label: str
    split: str


def _is_manifest(source: Source) -> bool:
    table = Path(source)
    if not table.is_file():
        return False
    kind = table.suffix.lower()
    return kind in PARQUET_SUFFIXES or (kind == ".csv" and not set(COLUMNS).isdisjoint(column_names(table)))


@reader(f"a manifest ({', '.join(COLUMNS)})", takes=_is_manifest)
def load_manifest(
    path: str | os.PathLike[str],
    *,
    root: str | os.PathLike[str] | None = None,
    image_size: int = 48,
    colour: bool = False,
    classes: Mapping[str, str] | Sequence[str] | None = None,
    in_memory: bool = True,
) -> FaceDataset:
    """Read the images that a table lists.

    Parameters
    ----------
    path : path
        A CSV (UTF-8, with a header) or Parquet file with the columns ``path``, ``label`` and ``split``; others are
        passed over. Splits go by the names that :func:`~ferembed.data.load_folder` knows.
    root : path, optional
        The folder relative paths start from; the table's own where not given.
    image_size : int
        Height and width images are scaled to, in pixels.
    colour : bool
        RGB rather than grey.
    classes : mapping or sequence of str, optional
        What labels mean, or which are allowed and in which order; see :func:`~ferembed.data.load_folder`.
    in_memory : bool
        Decode all images now, or leave them files; see :func:`~ferembed.data.load_folder`.

    Returns
    -------
    FaceDataset
        Rows in the table's order; ``paths`` hold the files.

    Raises
    ------
    DataError
        If the table is absent, empty or no such table, or a cell is wrong: no such file or no image, a label that is
        empty or not in ``classes``, an unknown split. The sentence names file, row (of a CSV: the line an editor
        shows) and column.
    ImportError
        If the table is a Parquet file and pyarrow is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("L", (64, 64), 128).save(Path(folder, "face.png"))
    ...     table = Path(folder, "faces.csv")
    ...     _ = table.write_text("path,label,split\\nface.png,joy,val\\n")
    ...     faces = load_manifest(table)
    >>> faces.classes, faces.splits.tolist()
    (('happy',), ['validation'])
    """
    table = Path(path)
    if not table.is_file():
        raise DataError(f"{table} is not a file: give a CSV or Parquet with the columns {', '.join(COLUMNS)}.")
    rows = _parquet_rows(table) if table.suffix.lower() in PARQUET_SUFFIXES else read_rows(table, COLUMNS)
    base = table.parent if root is None else Path(root)
    faces = [_face(table, row, values, base, classes) for row, values in rows]
    if not faces:
        raise DataError(f"{table} has a header but no rows.")
    order = class_order([face.label for face in faces], classes)
    paths = np.array([str(face.path) for face in faces])
    listing = Listing(table, np.array([face.row for face in faces]))
    files = ImageFiles(paths, image_size=image_size, colour=colour, listing=listing)
    return FaceDataset(
        images=np.asarray(files) if in_memory else files,
        labels=class_codes([face.label for face in faces], order),
        classes=order,
        splits=np.array([face.split for face in faces]),
        paths=paths,
        source=str(table),
    )


def _face(table: Path, row: int, cells: Sequence[str], base: Path, classes: ClassNames) -> _Face:
    path, label, split = (cell.strip() for cell in cells)
    file = base / path
    if not path or not _is_file(file):
        raise fault(table, row, "path", f"{file if path else 'an empty cell'} is not a file")
    name = class_name(label, classes)
    if name is None:
        raise fault(table, row, "label", f"{label!r} is not in classes, which know {known_names(classes)}")
    if not name:
        raise fault(table, row, "label", "the cell is empty")
    known_split = split_name(split)
    if known_split is None:
        raise fault(table, row, "split", f"{split!r} is none of {', '.join(SPLIT_NAMES)}")
    return _Face(row, file, name, known_split)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long for the system, or with a NUL in it
        return False


def _parquet_rows(table: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise ImportError(f"{table} is a Parquet file, which needs pyarrow: pip install pyarrow") from error
    try:
        column_places(table, parquet.read_schema(table).names, COLUMNS)
        columns = parquet.read_table(table, columns=list(COLUMNS)).to_pydict()
    except (ArrowException, OSError) as error:
        raise DataError(f"{table} is no readable Parquet file ({error}).") from error
    for row, values in enumerate(zip(*(columns[name] for name in COLUMNS), strict=True), start=1):
        yield row, ["" if value is None else str(value) for value in values]
