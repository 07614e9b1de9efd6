"""The recognisers that come with the library, and recognisers as files."""

import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import ferembed as fe
from ferembed import StorageError, drawn_faces
from ferembed.labels import FER2013_CLASSES, FERPLUS_CLASSES
from ferembed.models.weights import FILE
from ferembed.recognizer.packed import narrowed, pack, read_packed
from ferembed.recognizer.shipped import card, shipped_names
from ferembed.runs.assessment import answer, judge
from ferembed.runs.cards import cross_fitted_figures, figures

CLASSES = {"small": FER2013_CLASSES, "ferplus": FERPLUS_CLASSES}
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def small():
    return fe.load()


@pytest.fixture(scope="module")
def ferplus():
    return fe.load("ferplus")


@pytest.fixture(scope="module")
def faces():
    return drawn_faces(70, image_size=48).images


def test_what_ships_is_listed_with_the_default_first():
    assert fe.models() == shipped_names() == tuple(CLASSES)
    assert fe.load().info == fe.load("small").info
    with pytest.raises(StorageError, match="small, ferplus"):
        fe.load("smal")


@pytest.mark.parametrize("name", CLASSES)
def test_each_answers_in_its_vocabulary(name, faces):
    recognizer = fe.load(name)
    assert tuple(recognizer.classes_) == CLASSES[name]
    proba = recognizer.predict_proba(faces)
    assert proba.shape == (70, len(CLASSES[name]))
    np.testing.assert_allclose(proba.sum(axis=1), 1)


def test_both_are_one_small_network_with_one_gallery_and_no_pixels(small, ferplus, faces):
    assert sum(file.stat().st_size for file in FILE.parent.iterdir() if file.is_file()) <= 12e6
    assert sum(parameter.numel() for parameter in small.engine.encoder.parameters()) <= 3_000_000
    np.testing.assert_array_equal(small.encode(faces[:5]), ferplus.encode(faces[:5]))
    shared = np.isin(small.gallery_ids, ferplus.gallery_ids)
    np.testing.assert_allclose(small.gallery_embeddings[shared], ferplus.gallery_embeddings, atol=1e-6)
    shapes = [array.shape for array in load_file(FILE).values() if array.shape[:1] == small.gallery_ids.shape]
    assert max(int(np.prod(shape[1:])) for shape in shapes) == 128 < 48 * 48


def test_the_gallery_of_ferplus_votes_with_the_distributions_of_people(ferplus):
    votes = ferplus.voters["knn"].estimator_.gallery_.votes
    np.testing.assert_allclose(votes.sum(axis=1), 1, atol=1e-5)
    assert ((votes > 0).sum(axis=1) > 1).mean() > 0.2
    assert (votes.argmax(axis=1) == [FERPLUS_CLASSES.index(name) for name in ferplus.gallery_labels]).mean() > 0.99


def test_the_card_says_what_made_them_and_what_they_are_not_for(small):
    text, recipe = card(), small.info["recipe"]
    for heading in ("What made it", "Figures", "What it is for", "Known limits and biases", "Licence"):
        assert f"\n## {heading}\n" in text
    for fact in (f"| epochs | {recipe['epochs']} |", small.info["commit"], *small.info["data"].values()):
        assert fact in text
    assert "It is not for judging inner states" in text
    assert "holds no pixels" in text


@pytest.mark.parametrize("name", CLASSES)
def test_each_is_as_good_as_the_card_says(name, fer2013_csv):
    """Figures that hang on the last digits of a sum may differ by a face or two."""
    recognizer, split = fe.load(name), fe.load_dataset(fer2013_csv).split("validation")
    answers = answer(recognizer, split)
    section = card().split(f"### `{name}` on ")[1].split("###")[0]
    rows = re.findall(r"\| single \| (.*?) \| (.*?) \| (.*) \|\n", section)
    written = [[float(cell) for cell in cells.split(" | ")] for _, _, cells in rows]
    evaluation = judge(recognizer, answers, resamples=0)
    measured = [*evaluation.all_images.values(), *evaluation.without_copies.values()]
    measured += [metrics for *_, metrics in cross_fitted_figures(recognizer, answers, "single")]
    for said, metrics in zip(written, measured, strict=True):
        np.testing.assert_allclose(said, [float(cell) for cell in figures(metrics)], atol=0.3)
    if name == "small":
        softmax, knn = evaluation.all_images["softmax"], evaluation.all_images["knn"]
        assert knn.accuracy >= 0.695
        assert knn.accuracy >= softmax.accuracy - 0.001
        assert max(metrics.ece for metrics in evaluation.all_images.values()) <= 0.03
    else:
        assert evaluation.all_images["vote"].accuracy >= 0.82


@pytest.mark.processes
def test_a_wheel_brings_them_into_a_new_environment(tmp_path):
    asked = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        tmp_path,
        REPOSITORY,
    ]
    subprocess.run(asked, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert {"ferembed/models/weights/card.md", "ferembed/cli/portrait.jpg"} <= set(zipfile.ZipFile(wheel).namelist())
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "another project"]):
        subprocess.run(["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a", *command], check=True)
    venv.create(tmp_path / "new", with_pip=False)
    python = tmp_path / "new" / "bin" / "python"
    where = sysconfig.get_path("purelib", vars={"base": str(tmp_path / "new")})
    # What the library needs is borrowed from here; the library itself, which is here as a link, is not.
    (Path(where) / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel], check=True)
    code = """
import pathlib, sys
import ferembed
from importlib.resources import files
from PIL import Image
assert pathlib.Path(ferembed.__file__).is_relative_to(sys.prefix), ferembed.__file__
face = Image.open(files("ferembed.cli") / "portrait.jpg").crop((172, 72, 279, 179))
print(ferembed.models(), ferembed.load().predict(face)[0], ferembed.load("ferplus").predict(face)[0])
from ferembed.runs.pipeline import _commit
assert _commit() is None  # the commit of the project it is installed in is not the library's
"""
    shown = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert shown.split() == ["('small',", "'ferplus')", "happy", "happy"]


def test_threads_that_ask_first_together_are_answered_alike(faces):
    with ThreadPoolExecutor(4) as pool:
        recognizer = fe.load()
        answers = list(pool.map(lambda _: recognizer.predict_proba(faces[:3]), range(4)))
        parts = list(pool.map(lambda _: (recognizer.encoder, recognizer.voters["knn"]), range(4)))
    assert len({id(part) for pair in parts for part in pair}) == 2
    for each in answers:
        np.testing.assert_allclose(each, answers[0], atol=1e-6)
    with pytest.raises(AttributeError, match="no attribute 'encodr'"):
        _ = fe.load().encodr


def test_a_file_answers_as_the_recognizer_it_was_made_of(small, faces, tmp_path):
    small.export(tmp_path / "again.safetensors")
    again = fe.Recognizer.load(tmp_path / "again.safetensors")
    np.testing.assert_allclose(again.predict_proba(faces), small.predict_proba(faces), atol=0.02)
    assert (again.gallery_ids == small.gallery_ids).all()
    assert np.linalg.norm(again.gallery_embeddings, axis=1) == pytest.approx(1, abs=1e-5)


def test_several_in_a_file_share_what_they_have_in_common(small, ferplus, faces, tmp_path):
    small.save(tmp_path / "one")
    ferplus.save(tmp_path / "two")
    pack({"": tmp_path / "one"}, tmp_path / "alone.safetensors")
    pack({"one": tmp_path / "one", "two": tmp_path / "two"}, tmp_path / "both.safetensors")
    alone, both = ((tmp_path / f"{name}.safetensors").stat().st_size for name in ("alone", "both"))
    assert both < 1.15 * alone
    for name, source in (("one", small), ("two", ferplus)):
        again = fe.Recognizer.later(*read_packed(tmp_path / "both.safetensors", name))
        np.testing.assert_allclose(again.predict_proba(faces), source.predict_proba(faces), atol=0.02)
        assert (again.gallery_ids == source.gallery_ids).all()
    with pytest.raises(StorageError, match="one, two"):
        fe.load(tmp_path / "both.safetensors")


def test_what_is_enrolled_into_a_file_stays_out_of_it_until_saved(small, faces, tmp_path):
    small.export(tmp_path / "file.safetensors")
    before = (tmp_path / "file.safetensors").read_bytes()
    recognizer = fe.load(tmp_path / "file.safetensors")
    recognizer.enroll("drawn", faces)
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
