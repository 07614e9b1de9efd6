"""The recogniser that comes with the library, and recognisers as one file."""

from importlib import resources

import numpy as np
import pytest

import ferembed as fe
from ferembed import StorageError, drawn_faces, load_fer2013
from ferembed.data.ferplus import ferplus_labels
from ferembed.labels import FER2013_CLASSES, FERPLUS_CLASSES
from ferembed.recognizer.packed import narrowed
from ferembed.shipped import card, shipped_names


@pytest.fixture(scope="module")
def small():
    return fe.load()


@pytest.mark.parametrize(("name", "classes"), [("small", FER2013_CLASSES), ("ferplus", FERPLUS_CLASSES)])
def test_each_is_small_and_answers_at_once(name, classes):
    recognizer = fe.load(name)
    assert (resources.files("ferembed.shipped") / f"{name}.safetensors").stat().st_size <= 12e6
    assert sum(p.numel() for p in recognizer.encoder.parameters()) <= 3_000_000
    assert tuple(recognizer.classes_) == classes
    proba = recognizer.predict_proba(drawn_faces(70, image_size=48).images)
    assert proba.shape == (70, len(classes))
    np.testing.assert_allclose(proba.sum(axis=1), 1)


def test_each_has_a_card_that_says_what_it_is_not_for():
    for name in shipped_names():
        text = card(name)
        assert text.startswith(f"# {name}\n")
        for heading in ("Made by", "Data", "Figures", "Recall", "Good for", "Not for", "Known limits", "Licence"):
            assert f"- **{heading}" in text


def test_ferplus_is_as_good_as_its_card_says_by_the_votes_of_the_validation_split(fer2013_csv):
    faces = ferplus_labels(fe.load_dataset(fer2013_csv).split("validation"))
    right = fe.load("ferplus").predict(faces.images) == np.array(faces.classes)[faces.labels]
    assert "84.1" in card("ferplus")
    assert right.mean() == pytest.approx(0.841, abs=0.003)


def test_it_is_as_good_as_its_card_says_on_the_validation_split(small, fer2013_csv):
    faces = load_fer2013(fer2013_csv).split("validation").without_blank()
    truth, embeddings = faces.labels, small.encode(faces.images)
    right = {name: (voter.predict(embeddings) == truth).mean() for name, voter in small.voters.items()}
    assert "69.9" in card()
    assert right["vote"] == pytest.approx(0.699, abs=0.003)
    assert right["knn"] == pytest.approx(0.694, abs=0.003)


def test_a_file_answers_as_the_recognizer_it_was_made_of(small, tmp_path):
    small.export(tmp_path / "again.safetensors")
    again = fe.Recognizer.load(tmp_path / "again.safetensors")
    faces = drawn_faces(70, image_size=48).images
    np.testing.assert_allclose(again.predict_proba(faces), small.predict_proba(faces), atol=0.02)
    assert (again.gallery_ids == small.gallery_ids).all()
    assert np.linalg.norm(again.gallery_embeddings, axis=1) == pytest.approx(1, abs=1e-5)


def test_what_is_enrolled_into_a_file_stays_out_of_it_until_saved(small, tmp_path):
    small.export(tmp_path / "file.safetensors")
    before = (tmp_path / "file.safetensors").read_bytes()
    recognizer = fe.load(tmp_path / "file.safetensors")
    recognizer.enroll("drawn", drawn_faces(70, image_size=48).images)
    assert (tmp_path / "file.safetensors").read_bytes() == before
    recognizer.save(tmp_path / "own")
    assert fe.load(tmp_path / "own").classes_[-1] == "drawn"


def test_altered_and_foreign_files_are_refused(small, tmp_path):
    file = tmp_path / "file.safetensors"
    small.export(file)
    data = bytearray(file.read_bytes())
    data[-1000] ^= 1
    file.write_bytes(data)
    with pytest.raises(StorageError, match="altered"):
        fe.load(file)
    file.write_bytes(data[: len(data) // 2])
    with pytest.raises(StorageError, match="no readable recogniser"):
        fe.load(file)
    with pytest.raises(StorageError, match="small"):
        fe.load("smal")
    assert shipped_names() == ("ferplus", "small")


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (np.arange(300), np.uint16),
        (np.array([-1, 100]), np.int8),
        (np.array([0.0, 3.0], np.float32), np.uint8),
        (np.array([True]), np.bool_),
        (np.array([0.5], np.float32), np.float32),
        (np.linspace(0, 1, 2000, dtype=np.float32), np.float16),
        (np.array([0, 2**40]), np.int64),
    ],
)
def test_numbers_become_as_narrow_as_they_can_be_without_loss_of_whole_ones(array, kind):
    assert narrowed(array).dtype == kind
    np.testing.assert_allclose(narrowed(array).astype(array.dtype), array, rtol=1e-3)
