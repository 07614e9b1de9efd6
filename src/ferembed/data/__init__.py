"""Readers that turn files and folders of faces into one immutable :class:`FaceDataset`, and faces drawn on demand."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ferembed.data.dataset import SPLITS, DataError, FaceDataset

if TYPE_CHECKING:
    from ferembed.data.images import read_image
    from ferembed.data.readers.drawn import drawn_faces
    from ferembed.data.readers.fer2013 import load_fer2013
    from ferembed.data.readers.ferplus import VOTE_MODES, ferplus_labels, vote_distributions
    from ferembed.data.readers.folder import AFFECTNET_FOLDERS, RAFDB_FOLDERS, load_folder
    from ferembed.data.readers.manifest import load_manifest
    from ferembed.data.readers.sources import load_dataset, reader

_HOMES = {
    "drawn_faces": "readers.drawn",
    "load_fer2013": "readers.fer2013",
    "VOTE_MODES": "readers.ferplus",
    "ferplus_labels": "readers.ferplus",
    "vote_distributions": "readers.ferplus",
    "AFFECTNET_FOLDERS": "readers.folder",
    "RAFDB_FOLDERS": "readers.folder",
    "load_folder": "readers.folder",
    "read_image": "images",
    "load_manifest": "readers.manifest",
    "load_dataset": "readers.sources",
    "reader": "readers.sources",
}

__all__ = [
    "AFFECTNET_FOLDERS",
    "RAFDB_FOLDERS",
    "SPLITS",
    "VOTE_MODES",
    "DataError",
    "FaceDataset",
    "drawn_faces",
    "ferplus_labels",
    "load_dataset",
    "load_fer2013",
    "load_folder",
    "load_manifest",
    "read_image",
    "reader",
    "vote_distributions",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
