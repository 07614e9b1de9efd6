"""Readers that turn files and folders of faces into one immutable :class:`FaceDataset`, and faces drawn on demand."""

from ferembed.data.dataset import SPLITS, DataError, FaceDataset
from ferembed.data.images import read_image
from ferembed.data.readers.drawn import drawn_faces
from ferembed.data.readers.fer2013 import load_fer2013
from ferembed.data.readers.ferplus import VOTE_MODES, ferplus_labels, vote_distributions
from ferembed.data.readers.folder import AFFECTNET_FOLDERS, RAFDB_FOLDERS, load_folder
from ferembed.data.readers.manifest import load_manifest
from ferembed.data.readers.sources import load_dataset, reader

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
