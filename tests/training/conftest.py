"""Lets the tests of training import each other's parts, whichever import mode pytest runs in."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from starter import Starter


@pytest.fixture(scope="session")
def starter():
    starter = Starter()
    yield starter
    starter.close()
