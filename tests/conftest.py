"""Data that several tests share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ferembed.data import FaceDataset, drawn_faces

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def fer2013_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """FER2013's Training and PublicTest rows in Kaggle's form; ``fer2013new.csv`` (FER+) stands beside it."""
    unpack = SHARED_DATA / "unpack_fer2013.py"
    if not unpack.is_file():
        pytest.skip("FER2013 is not at hand: there is no ../shared/data/unpack_fer2013.py beside this repository")
    folder = tmp_path_factory.mktemp("fer2013")
    subprocess.run([sys.executable, str(unpack), str(folder)], check=True, capture_output=True)
    return folder / "fer2013.csv"


@pytest.fixture(scope="session")
def drawn() -> FaceDataset:
    """350 drawn faces, 50 of each class."""
    return drawn_faces(350)
