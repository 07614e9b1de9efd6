from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ferembed.auditing import audit
from ferembed.data import AFFECTNET_FOLDERS, RAFDB_FOLDERS, DataError, load_folder, read_image
from ferembed.labels import FER2013_CLASSES, FERPLUS_CLASSES


def put(path: Path, tone: int = 128, size: tuple[int, int] = (48, 48), mode: str = "L") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, tone if mode == "L" else (tone, 0, 0)).save(path)
    return path


def names(faces) -> list[tuple[str, str]]:
    return [(split, faces.classes[label]) for split, label in zip(faces.splits, faces.labels, strict=True)]


def test_kaggle_image_release(tmp_path):
    for place, name in enumerate(FER2013_CLASSES):
        put(tmp_path / "train" / name / "Training_1.jpg", tone=20 * place)
        put(tmp_path / "test" / name / "PrivateTest_1.jpg", tone=20 * place + 10)
    faces = load_folder(tmp_path)
    assert faces.classes == FER2013_CLASSES
    assert faces.images.shape == (14, 48, 48)
    assert faces.split_names == ("train", "test")
    assert faces.images[faces.splits == "train"][faces.labels[faces.splits == "train"] == 3].mean() == 60
    assert all(Path(path).is_file() for path in faces.paths)


def test_raf_db_and_affectnet_have_numbered_folders(tmp_path):
    raf, affect = tmp_path / "DATASET", tmp_path / "affectnet"
    for number in RAFDB_FOLDERS:
        put(raf / "train" / number / "a.jpg", size=(100, 100), mode="RGB")
    for number in AFFECTNET_FOLDERS:
        put(affect / "val" / number / "a.png")
    faces = load_folder(raf, classes=RAFDB_FOLDERS, colour=True, image_size=100)
    assert faces.classes == FER2013_CLASSES
    assert faces.images.shape == (7, 100, 100, 3)
    assert [name for _, name in names(faces)] == list(RAFDB_FOLDERS.values())
    faces = load_folder(affect, classes=AFFECTNET_FOLDERS)
    assert faces.classes == FERPLUS_CLASSES
    assert names(faces) == [("validation", name) for name in AFFECTNET_FOLDERS.values()]


def test_ck_plus_has_no_splits_and_other_words(tmp_path):
    for name in ("anger", "contempt", "disgust", "fear", "happy", "sadness", "Surprise"):
        put(tmp_path / name / "S1.png")
    faces = load_folder(tmp_path)
    assert faces.split_names == ("train",)
    assert faces.classes == tuple(name for name in FERPLUS_CLASSES if name != "neutral")


@pytest.mark.parametrize(
    ("folder", "split"),
    [("Training", "train"), ("valid", "validation"), ("PublicTest", "validation"), ("testing", "test"),
     ("PrivateTest", "test")],
)  # fmt: skip
def test_split_folders_have_synonyms(tmp_path, folder, split):
    put(tmp_path / folder / "happy" / "a.bmp")
    assert names(load_folder(tmp_path)) == [(split, "happy")]


def test_order_is_sorted_and_hidden_files_are_passed_over(tmp_path):
    for name in ("test/sad/b.webp", "train/sad/2.PNG", "train/happy/10.jpeg", "train/happy/1.png"):
        put(tmp_path / name)
    put(tmp_path / "train" / "happy" / ".hidden.png")
    put(tmp_path / "train" / ".thumbs" / "a.png")
    put(tmp_path / "__MACOSX" / "happy" / "a.png")
    (tmp_path / "train" / "happy" / "notes.txt").write_text("not an image")
    faces = load_folder(tmp_path)
    found = [Path(path).relative_to(tmp_path).as_posix() for path in faces.paths]
    assert found == ["train/happy/1.png", "train/happy/10.jpeg", "train/sad/2.PNG", "test/sad/b.webp"]
    assert faces.ids.tolist() == [0, 1, 2, 3]


def test_a_list_of_classes_gives_their_order_and_no_others(tmp_path):
    put(tmp_path / "happiness" / "a.png")
    put(tmp_path / "sad" / "a.png")
    faces = load_folder(tmp_path, classes=["sad", "happy", "angry"])
    assert faces.classes == ("sad", "happy", "angry")
    assert faces.labels.tolist() == [1, 0]
    with pytest.raises(DataError, match=r"sad is not in classes, which know happy, angry"):
        load_folder(tmp_path, classes=["happy", "angry"])


def test_an_undecodable_image_is_named(tmp_path):
    put(tmp_path / "happy" / "a.png")
    whole = put(tmp_path / "happy" / "b.png", size=(200, 200)).read_bytes()
    for content in (b"", b"text", whole[:60], whole[: len(whole) // 2]):
        (tmp_path / "happy" / "b.png").write_bytes(content)
        with pytest.raises(DataError, match=r"b\.png cannot be decoded"):
            load_folder(tmp_path)


def test_a_folder_that_is_no_tree_is_refused(tmp_path):
    with pytest.raises(DataError, match="is not a folder"):
        load_folder(tmp_path / "none")
    put(tmp_path / "DATASET" / "train" / "happy" / "a.png")
    with pytest.raises(DataError, match="holds no images as SPLIT/LABEL/image"):
        load_folder(tmp_path)
    put(tmp_path / "DATASET" / "tset" / "a.png")
    with pytest.raises(DataError, match="tset holds images but is no split folder"):
        load_folder(tmp_path / "DATASET")


def test_read_image_scales_turns_and_greys(tmp_path):
    ramp = np.tile(np.arange(96, dtype=np.uint8) * 2, (96, 1))
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    small = read_image(tmp_path / "ramp.png")
    inner = ramp.reshape(48, 2, 48, 2).mean(axis=(1, 3))[:, 1:-1]
    assert np.abs(small[:, 1:-1] - inner).max() <= 1
    turned = Image.Exif()
    turned[0x0112] = 3  # the camera was upside down
    Image.fromarray(ramp).save(tmp_path / "turned.png", exif=turned)
    assert np.array_equal(read_image(tmp_path / "turned.png", image_size=96), ramp[:, ::-1])
    put(tmp_path / "red.png", 200, mode="RGB")
    assert read_image(tmp_path / "red.png").mean() == pytest.approx(0.299 * 200, abs=1)
    deep = Image.fromarray((ramp.astype(np.uint16) << 8) + 7)
    deep.save(tmp_path / "deep.png")
    assert np.array_equal(read_image(tmp_path / "deep.png", image_size=96), ramp)


@pytest.mark.parametrize("folder", ["dev", "val", "valid", "eval"])
def test_no_split_is_lost_by_its_name(tmp_path, folder):
    put(tmp_path / "train" / "happy" / "a.png")
    put(tmp_path / folder / "happy" / "a.png")
    assert load_folder(tmp_path).splits.tolist() == ["train", "validation"]


@pytest.mark.parametrize(
    ("lost", "sentence"),
    [
        ("held_out/happy/a.png", "held_out holds images but is no split folder"),
        ("train/happy/S001/a.png", r"S001/a\.png lies deeper .* move it up into .*happy"),
        ("train/sad/S001/001/a.png", r"001/a\.png lies deeper"),
    ],
)
def test_images_that_have_no_place_in_the_tree_are_refused(tmp_path, lost, sentence):
    put(tmp_path / "train" / "happy" / "b.png")
    put(tmp_path / lost)
    with pytest.raises(DataError, match=sentence):
        load_folder(tmp_path)


@pytest.mark.parametrize("loose", ["preview.png", "train/preview.png"])
def test_loose_images_are_counted(tmp_path, loose):
    put(tmp_path / "train" / "happy" / "a.png")
    put(tmp_path / loose)
    with pytest.warns(UserWarning, match=r"1 images lie in no label folder and are not read, such as .*preview\.png"):
        assert len(load_folder(tmp_path)) == 1


def test_a_class_of_unread_files_is_reported(tmp_path):
    put(tmp_path / "train" / "happy" / "a.png")
    put(tmp_path / "train" / "sad" / "a.ppm", mode="RGB")
    with pytest.warns(UserWarning, match=r"none of the 1 files in .*sad is read, such as a\.ppm"):
        assert load_folder(tmp_path).classes == ("happy",)


def test_one_class_is_one_however_it_is_spelled(tmp_path):
    for split, name in (("train", "Caf\u00e9 "), ("test", "cafe\u0301"), ("val", "CAFE\u0301")):
        put(tmp_path / split / name / "a.png")
    assert load_folder(tmp_path).classes == ("caf\u00e9",)


def test_names_that_are_no_utf_8_are_told_apart_and_can_be_written(tmp_path):
    for name in (b"caf\xe9", b"caf\xe8"):
        put(tmp_path / os.fsdecode(name) / os.fsdecode(b"\xe9.png"))
    faces = load_folder(tmp_path)
    assert faces.classes == (r"caf\xe8", r"caf\xe9")
    assert faces.fingerprint == load_folder(tmp_path).fingerprint
    assert len(audit(faces, out=tmp_path / "found").copies) == 1
    assert r"caf\xe9" in (tmp_path / "found" / "audit.html").read_text()
