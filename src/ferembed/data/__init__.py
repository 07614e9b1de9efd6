"""Readers that turn files and folders of faces into one immutable :class:`FaceDataset`, and faces drawn on demand."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .dataset import SPLITS, DataError, FaceDataset

if TYPE_CHECKING:
    from .drawn import drawn_faces
    from .fer2013 import load_fer2013
    from .ferplus import VOTE_MODES, ferplus_labels, vote_distributions
    from .folder import AFFECTNET_FOLDERS, RAFDB_FOLDERS, load_folder
    from .images import read_image
    from .manifest import load_manifest
    from .sources import load_dataset

_HOMES = {
    "drawn_faces": "drawn",
    "load_fer2013": "fer2013",
    "VOTE_MODES": "ferplus",
    "ferplus_labels": "ferplus",
    "vote_distributions": "ferplus",
    "AFFECTNET_FOLDERS": "folder",
    "RAFDB_FOLDERS": "folder",
    "load_folder": "folder",
    "read_image": "images",
    "load_manifest": "manifest",
    "load_dataset": "sources",
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
    "vote_distributions",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
