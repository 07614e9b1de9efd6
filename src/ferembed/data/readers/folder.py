"""Trees of image files: a folder a class, with or without a folder a split above."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ferembed.data.dataset import SPLITS, DataError, FaceDataset
from ferembed.data.image_files import ImageFiles
from ferembed.data.images import SUFFIXES
from ferembed.data.readers.naming import SPLIT_NAMES, class_name, class_order, known_names, split_name
from ferembed.data.readers.sources import reader
from ferembed.probability import class_codes

RAFDB_FOLDERS: dict[str, str] = {
    "1": "surprise", "2": "fear", "3": "disgust", "4": "happy", "5": "sad", "6": "angry", "7": "neutral",
}  # fmt: skip
"""The numbered folders of RAF-DB (Li et al. 2017), for ``classes=``."""

AFFECTNET_FOLDERS: dict[str, str] = {
    "0": "neutral", "1": "happy", "2": "sad", "3": "surprise", "4": "fear", "5": "disgust", "6": "angry",
    "7": "contempt",
}  # fmt: skip
"""The numbered folders of AffectNet exports (Mollahosseini et al. 2017), for ``classes=``."""


class _File(NamedTuple):
    split: int
    label: str
    name: str
    path: Path


@reader("a folder of images", takes=os.path.isdir)
def load_folder(
    root: str | os.PathLike[str],
    *,
    image_size: int = 48,
    colour: bool = False,
    classes: Mapping[str, str] | Sequence[str] | None = None,
    in_memory: bool = True,
) -> FaceDataset:
    """Read a tree of images, ``SPLIT/LABEL/image`` or ``LABEL/image``.

    This is the shape of Kaggle's image release of FER2013 (``train/angry/...``, ``test/...``), of RAF-DB
    (``train/1`` to ``train/7``), of AffectNet exports and of CK+ and JAFFE as they are re-packed. Files ending in jpg,
    jpeg, png, bmp, webp, tif or tiff are read; other files and hidden ones are passed over. Without a split level all
    rows belong to ``train``. No image is lost without a word: where a folder holds some that have no place in such a
    tree it is refused, and loose images and folders of unread files are counted in a warning.

    Parameters
    ----------
    root : path
        The folder that holds the split folders (train, training; val, valid, validation, dev, eval, PublicTest; test,
        testing, PrivateTest; in any case) or the label folders.
    image_size : int
        Height and width images are scaled to, in pixels.
    colour : bool
        RGB rather than grey.
    classes : mapping or sequence of str, optional
        A mapping gives the class of each label folder, as :data:`RAFDB_FOLDERS` and :data:`AFFECTNET_FOLDERS` do for
        numbered ones. A sequence gives the classes allowed and their order. Without it, folder names are the classes,
        under the house's names (``Happiness`` is ``happy``) and in the standard order.

    in_memory : bool
        Decode all images now. If False they stay files (:class:`~ferembed.data.image_files.ImageFiles`): training
        decodes each batch anew, in as many processes as the recipe's ``workers``, and holds no more than a few batches.
        A file that cannot be decoded is then found when it is first read.

    Returns
    -------
    FaceDataset
        Rows sorted by split, class folder and file name; ``paths`` hold the files.

    Raises
    ------
    DataError
        If there is no such tree, images lie deeper or in a folder of another name beside the split folders, a label
        folder is not in ``classes``, or an image cannot be decoded.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as root:
    ...     for folder in ("train/4", "test/6"):
    ...         Path(root, folder).mkdir(parents=True)
    ...         Image.new("L", (100, 100), 128).save(Path(root, folder, "face.png"))
    ...     faces = load_folder(root, classes=RAFDB_FOLDERS)
    >>> [faces.classes[label] for label in faces.labels], faces.split_names
    (['happy', 'angry'], ('train', 'test'))
    """
    top = Path(root)
    if not top.is_dir():
        raise DataError(f"{top} is not a folder: give one that holds SPLIT/LABEL/image or LABEL/image.")
    files = sorted(_files(top))
    if not files:
        raise DataError(f"{top} holds no images as SPLIT/LABEL/image or LABEL/image ({', '.join(SUFFIXES)}).")
    _check_nothing_is_lost(top)
    names = {file.label: class_name(file.label, classes) for file in files}
    for file in files:
        if names[file.label] is None:
            raise DataError(f"{file.path.parent} is not in classes, which know {known_names(classes)}.")
    found = [name for file in files if (name := names[file.label]) is not None]
    order = class_order(found, classes)
    paths = np.array([str(file.path) for file in files])
    images = ImageFiles(paths, image_size=image_size, colour=colour)
    return FaceDataset(
        images=np.asarray(images) if in_memory else images,
        labels=class_codes(found, order),
        classes=order,
        splits=np.array(SPLITS)[[file.split for file in files]],
        paths=paths,
        source=str(top),
    )


def _files(top: Path) -> Iterator[_File]:
    folders = _folders(top)
    splits = {folder: split_name(folder.name) for folder in folders}
    if not any(splits.values()):
        yield from _labelled(top, "train")
        return
    for folder, split in splits.items():
        if split is not None:
            yield from _labelled(folder, split)
        elif any(_images_below(folder)):
            raise DataError(
                f"{folder} holds images but is no split folder, as its neighbours are; known: {', '.join(SPLIT_NAMES)}."
            )


def _check_nothing_is_lost(top: Path) -> None:
    """Refuse images below the label folders; warn of those above, and of label folders none of whose files is read."""
    has_splits = any(split_name(folder.name) for folder in _folders(top))
    tops = [folder for folder in _folders(top) if split_name(folder.name)] if has_splits else [top]
    loose = [path for folder in dict.fromkeys([top, *tops]) for path in _images(folder)]
    if loose:
        warnings.warn(f"{len(loose)} images lie in no label folder and are not read, such as {loose[0]}.", stacklevel=3)
    for label in (label for folder in tops for label in _folders(folder)):
        for folder in _folders(label):
            if deep := next(_images_below(folder), None):
                raise DataError(f"{deep} lies deeper than SPLIT/LABEL/image or LABEL/image: move it up into {label}.")
        files = [path for path in label.iterdir() if path.is_file() and not path.name.startswith(".")]
        if files and not any(_images(label)):
            warnings.warn(
                f"none of the {len(files)} files in {label} is read, such as {files[0].name}: images end in "
                f"{', '.join(SUFFIXES)}.",
                stacklevel=3,
            )


def _labelled(folder: Path, split: str) -> Iterator[_File]:
    for label in _folders(folder):
        for path in _images(label):
            yield _File(SPLITS.index(split), label.name, path.name, path)


def _folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))]


def _images_below(folder: Path) -> Iterator[Path]:
    """The images of a folder and of those inside it."""
    yield from _images(folder)
    for inner in _folders(folder):
        yield from _images_below(inner)


def _images(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")]
