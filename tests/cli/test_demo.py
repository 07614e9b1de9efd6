"""The parts of the demo that need no training."""

import re

import pytest
from PIL import Image

from ferembed import load
from ferembed.cli import demo


@pytest.fixture(scope="module")
def small():
    return load()


def test_a_real_photo_is_answered_and_drawn(small, tmp_path, capsys):
    demo._ask_about_photo(small, tmp_path)
    told = " ".join(capsys.readouterr().out.split())
    name, percent = re.match(r"(\w+), (\d+)%", told).groups()
    assert name in small.classes_
    assert int(percent) > 100 / 7
    with Image.open(tmp_path / "photo.png") as picture:
        assert picture.width > 2 * picture.height


def test_without_fer2013_the_demo_says_what_is_missing_and_goes_on(tmp_path, capsys, monkeypatch):
    trained = []
    monkeypatch.setattr(demo, "_train_on_drawn_faces", trained.append)
    demo.command(tmp_path / "out", tmp_path / "gone.csv")
    assert "gone.csv is not there" in " ".join(capsys.readouterr().out.split())
    assert trained == [tmp_path / "out"]
