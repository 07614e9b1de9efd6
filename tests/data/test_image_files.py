"""Images that stay files: they read like the array they stand for, and are decoded no more than is needed."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ferembed.data import DataError, FaceDataset, drawn_faces, image_files, load_dataset, load_folder, load_manifest
from ferembed.data.image_files import ImageFiles
from ferembed.recognizer.inputs import prepare_images, prepared_batches


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("faces")
    faces = drawn_faces(60, image_size=40)
    for image, label, split, number in zip(faces.images, faces.labels, faces.splits, faces.ids, strict=True):
        folder = root / split / faces.classes[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{number}.png")
    Image.new("L", (40, 40), 90).save(root / "train" / "sad" / "blank.png")
    return root


@pytest.fixture
def decoded(monkeypatch):
    """The names of the files decoded so far by image files."""
    names = []
    read = image_files.read_image
    monkeypatch.setattr(
        image_files, "read_image", lambda path, **how: (names.append(Path(path).name), read(path, **how))[1]
    )
    return names


@pytest.mark.parametrize("colour", [False, True])
def test_files_read_like_the_array_they_stand_for(root, colour):
    array = load_folder(root, image_size=24, colour=colour).images
    files = load_folder(root, image_size=24, colour=colour, in_memory=False).images
    assert isinstance(files, ImageFiles)
    assert (files.shape, files.dtype, files.ndim, len(files)) == (array.shape, array.dtype, array.ndim, len(array))
    for rows in (
        3,
        -1,
        np.int64(5),
        slice(2, 9, 3),
        slice(None),
        [4, 1, 4],
        np.array([], int),
        array[:, 0, 0].ravel()[:61] > 99,
    ):
        np.testing.assert_array_equal(files[rows], array[rows])
    np.testing.assert_array_equal(np.asarray(files), array)
    np.testing.assert_array_equal(np.stack(list(files.subset([7, 2]))), array[[7, 2]])
    with pytest.raises(IndexError):
        files[len(files)]


def test_a_data_set_of_files_is_the_same_data_set(root):
    memory, files = load_folder(root), load_folder(root, in_memory=False)
    assert files.fingerprint == memory.fingerprint
    np.testing.assert_array_equal(files.blank, memory.blank)
    assert files.blank.sum() == 1
    for pick in (
        lambda faces: faces.split("test"),
        lambda faces: faces.without_blank(),
        lambda faces: faces.subset([9, 3]),
    ):
        assert isinstance(pick(files).images, ImageFiles)
        assert pick(files).fingerprint == pick(memory).fingerprint


def test_picking_decodes_nothing_and_facts_are_found_once(root, decoded):
    files = load_dataset(root, in_memory=False)
    assert isinstance(files, FaceDataset)
    train = files.split("train").subset(np.arange(10))
    assert "in files" in repr(train)
    assert decoded == []
    assert train.images[2:4].shape == (2, 48, 48)
    assert len(decoded) == 2
    decoded.clear()
    assert len(train.pixel_hashes) == 10
    assert not train.without_blank().blank.any()
    assert sorted(decoded) == sorted(Path(path).name for path in train.paths)
    decoded.clear()
    assert len(files.pixel_hashes) == len(files.blank) == 61
    assert len(decoded) == 51


def test_a_broken_file_is_named_when_it_is_read(tmp_path):
    (tmp_path / "happy").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "happy" / "fine.png")
    (tmp_path / "happy" / "torn.png").write_bytes(b"\x89PNG")
    (tmp_path / "faces.csv").write_text("path,label,split\nhappy/torn.png,happy,train\n")
    faces = load_folder(tmp_path, in_memory=False)
    assert faces.images[0].shape == (48, 48)
    for read in (
        lambda: faces.images[1],
        lambda: faces.blank,
        lambda: load_manifest(tmp_path / "faces.csv", in_memory=False).images[:],
    ):
        with pytest.raises(DataError, match=r"torn\.png cannot be decoded"):
            read()


def test_a_broken_file_of_a_table_is_named_with_its_row(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "fine.png")
    (tmp_path / "torn.png").write_bytes(b"\x89PNG")
    rows = [f"{name}.png,happy,train" for name in ("fine", "fine", "torn", "fine")]
    (tmp_path / "faces.csv").write_text("\n".join(["path,label,split", *rows]))
    files = load_manifest(tmp_path / "faces.csv", in_memory=False).images
    part = files.subset([3, 2])
    for read in (
        lambda: load_manifest(tmp_path / "faces.csv"),
        lambda: files[2],
        lambda: files[1:],
        lambda: np.asarray(part),
        lambda: part[[0, 1]],
        lambda: part.hashes,
    ):
        with pytest.raises(DataError, match=r"faces\.csv, row 4, column 'path': .*torn\.png cannot be decoded"):
            read()


@pytest.mark.parametrize("size", [48, 32])
def test_faces_are_prepared_a_batch_at_a_time(root, size, decoded):
    faces = load_folder(root)
    files = load_folder(root, in_memory=False).images
    expected = prepare_images(faces.images, size=size, channels=1)
    paths = faces.paths.tolist()
    for given in (faces.images, files, list(faces.images), iter(faces.images)):
        batches = list(prepared_batches(given, size=size, channels=1, batch_size=25))
        assert [len(batch) for batch in batches] == [25, 25, 11]
        np.testing.assert_array_equal(np.concatenate(batches), expected)
    assert len(list(prepared_batches(iter(paths), size=size, channels=1, batch_size=60))) == 2
    decoded.clear()
    next(prepared_batches(files, size=size, channels=1, batch_size=7))
    assert len(decoded) == 7


def test_a_wrong_image_of_a_later_batch_is_named_by_its_place():
    faces = [np.zeros((8, 8), np.uint8)] * 5 + [np.full((8, 8), 2.0)]
    with pytest.raises(DataError, match="image 5 holds floats"):
        list(prepared_batches(faces, size=8, channels=1, batch_size=2))
