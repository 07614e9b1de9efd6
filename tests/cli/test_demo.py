"""The demo: what it asks the shipped recogniser, and that it trains only where it is told to."""

import re

import pytest
from PIL import Image

from ferembed import drawn_faces, load
from ferembed.cli import demo
from ferembed.cli.options import faces_for
from ferembed.labels import FER2013_CLASSES

PER_ROW = r"row (\d+) \W+ (\w+)"


@pytest.fixture(scope="module")
def small():
    return load()


@pytest.fixture
def told(capsys):
    """What the demo has printed."""
    return lambda: " ".join(capsys.readouterr().out.split())


@pytest.fixture
def trained(monkeypatch):
    """Where a recogniser of drawn faces would have been trained."""
    folders = []
    monkeypatch.setattr(demo, "_train_on_drawn_faces", folders.append)
    monkeypatch.setattr("ferembed.runs.pipeline.train", lambda *_, **__: pytest.fail("the demo trains"))
    return folders


@pytest.fixture
def csv(tmp_path):
    """Drawn faces in FER2013's form: 2 train, 30 validation."""
    faces = drawn_faces(70, seed=3).subset(range(32))
    usages = ["Training"] * 2 + ["PublicTest"] * 30
    lines = [
        f"{FER2013_CLASSES.index(faces.classes[label])},{' '.join(map(str, image.ravel()))},{usage}"
        for label, image, usage in zip(faces.labels, faces.images, usages, strict=True)
    ]
    path = tmp_path / "fer2013.csv"
    path.write_text("\n".join(["emotion,pixels,Usage", *lines, ""]))
    return path


def test_without_fer2013_a_portrait_is_answered_and_drawn(trained, told, tmp_path):
    out = tmp_path / "out"
    demo.command(out, tmp_path / "gone.csv")
    shown = told()
    name, percent = re.search(r"portrait │ (\w+) │ (\d+)%", shown).groups()
    assert name in FER2013_CLASSES
    assert int(percent) > 100 / 7
    assert "gone.csv is not there" in shown
    assert sorted(file.name for file in out.iterdir()) == ["occlusion.png", "portrait.png"]
    for file in out.iterdir():
        with Image.open(file) as picture:
            assert picture.width > 2 * picture.height > 400
        assert f"wrote {file}" in shown
    assert trained == []


def test_faces_of_fer2013_are_answered_and_drawn(small, told, csv, tmp_path):
    demo._ask_about_fer2013(small, csv, tmp_path / "out")
    shown = told()
    answers = re.findall(PER_ROW, shown)
    assert len({row for row, _ in answers}) == demo.ASKED
    assert {name for _, name in answers} <= set(FER2013_CLASSES)
    with Image.open(tmp_path / "out" / "fer2013.png") as picture:
        assert min(picture.size) > 400


def test_faces_with_a_copy_in_the_gallery_are_left_out(small, told, csv, tmp_path, monkeypatch):
    monkeypatch.setattr(small, "copies_in_gallery", lambda faces: faces.ids >= 10)
    demo._ask_about_fer2013(small, csv, tmp_path)
    assert sorted(int(row) for row, _ in re.findall(PER_ROW, told())) == list(range(2, 10))


def test_where_every_face_has_a_copy_the_demo_says_so(small, told, csv, tmp_path, monkeypatch):
    monkeypatch.setattr(small, "copies_in_gallery", lambda faces: faces.ids >= 0)
    demo._ask_about_fer2013(small, csv, tmp_path / "out")
    assert "no validation face without a copy" in told()
    assert not (tmp_path / "out").exists()


def test_what_is_trained_on_is_what_drawn_names(told, tmp_path, monkeypatch):
    """So that ``ferembed report OUT/run drawn``, as the demo says, shows the faces that were learned."""
    monkeypatch.setattr("ferembed.runs.pipeline.train", lambda _recipe, *splits, **__: splits)
    monkeypatch.setattr("ferembed.runs.assessment.evaluate", lambda *_: None)
    learned = []
    monkeypatch.setattr(demo, "_show_and_draw", lambda splits, *_: learned.extend(splits))
    demo.command(tmp_path / "out", train=True)
    words = re.search(r"`ferembed report (\S+) (\S+)", told()).groups()
    assert words == (str(tmp_path / "out" / "run"), "drawn")
    encoder = load().encoder
    for part, split in zip(learned[:2], ("train", "validation"), strict=True):
        assert part.fingerprint == faces_for(encoder, words[1]).split(split).fingerprint


def test_only_train_trains(trained, told, tmp_path):
    demo.command(tmp_path / "out", tmp_path / "gone.csv", train=True)
    assert trained == [tmp_path / "out"]
    assert "portrait" not in told()
