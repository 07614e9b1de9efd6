"""The portrait that ships, as pixels."""

from pathlib import Path

import pytest

import ferembed.cli
from ferembed.faces import read_photo


@pytest.fixture(scope="session")
def portrait():
    return read_photo(Path(ferembed.cli.__file__).parent / "portrait.jpg")
