from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ferembed.data.readers._cache as cache_module
from ferembed.data import DataError, load_fer2013
from ferembed.labels import FER2013_CLASSES

USAGES = ("Training", "PublicTest", "PrivateTest")


def random_faces(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, 48, 48), dtype=np.uint8), rng.integers(0, 7, n), rng.integers(0, 3, n)


def text_of(images: np.ndarray, emotions: np.ndarray, usages: np.ndarray, end: str = "\n") -> str:
    rows = [
        f"{emotion},{' '.join(map(str, image.ravel()))},{USAGES[usage]}"
        for image, emotion, usage in zip(images, emotions, usages, strict=True)
    ]
    return end.join(["emotion,pixels,Usage", *rows, ""])


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "fer2013.csv"
    path.write_text(text_of(*random_faces(5)))
    return path


@settings(max_examples=15)
@given(n=st.integers(1, 6), seed=st.integers(0, 1000), end=st.sampled_from(["\n", "\r\n"]))
def test_what_is_written_is_read(tmp_path_factory, n, seed, end):
    path = tmp_path_factory.mktemp("csv") / "any_name.csv"
    images, emotions, usages = random_faces(n, seed)
    path.write_bytes(text_of(images, emotions, usages, end).encode())
    faces = load_fer2013(path, cache=False)
    assert np.array_equal(faces.images, images)
    assert faces.labels.tolist() == emotions.tolist()
    assert faces.splits.tolist() == [("train", "validation", "test")[u] for u in usages]
    assert faces.classes == FER2013_CLASSES
    assert faces.source == str(path)


def test_icml_file_has_other_columns_and_blanks(tmp_path):
    images, emotions, usages = random_faces(3)
    path = tmp_path / "icml_face_data.csv"
    rows = [
        f"{e}, {USAGES[u]},{' '.join(map(str, i.ravel()))}"
        for i, e, u in zip(images, emotions, usages, strict=True)
    ]  # fmt: skip
    path.write_text("\n".join(["emotion, Usage, pixels", *rows]))  # and no line end after the last row
    faces = load_fer2013(tmp_path)
    assert np.array_equal(faces.images, images)
    assert faces.labels.tolist() == emotions.tolist()


def test_quotes_and_a_byte_order_mark_are_fine(tmp_path):
    images, emotions, _ = random_faces(1)
    path = tmp_path / "fer2013.csv"
    pixels = " ".join(map(str, images[0].ravel()))
    path.write_bytes(
        b"\xef\xbb\xbf" + f'"emotion","pixels","Usage"\n"{emotions[0]}","{pixels}","Training"\n\n'.encode()
    )
    assert np.array_equal(load_fer2013(path).images, images)


def test_the_sentence_names_file_row_and_column(tmp_path):
    pixels = ["128"] * 2304

    def message(row: str, header: str = "emotion,pixels,Usage") -> str:
        path = tmp_path / "fer2013.csv"
        path.write_text(f"{header}\n3,{' '.join(pixels)},Training\n{row}\n")
        with pytest.raises(DataError) as caught:
            load_fer2013(path)
        assert str(path) in str(caught.value)
        return str(caught.value)

    def with_pixel(value: str) -> str:
        return f"3,{' '.join([*pixels[:9], value, *pixels[10:]])},Training"

    for value in ("256", "-1", "1.5", "x", "99999999999999999999", "1+2", "٣"):
        found = message(with_pixel(value))
        assert "row 3, column 'pixels': pixel 10 is" in found
        assert value in found or value == "٣"
    assert "row 3, column 'pixels': 2303 pixels, not 2304" in message(f"3,{' '.join(pixels[1:])},Training")
    assert "row 3, column 'pixels': 0 pixels" in message("3,,Training")
    assert "row 3, column 'emotion': '7' is not a code" in message(f"7,{' '.join(pixels)},Training")
    assert "row 3, column 'Usage': 'Tranig' is none of" in message(f"3,{' '.join(pixels)},Tranig")
    assert "row 3, column 'Usage': the row has 2 cells" in message(f"3,{' '.join(pixels)}")
    assert "lacks the column 'Usage' in row 1" in message("", header="emotion,pixels")


def test_a_file_cut_off_says_so(csv):
    csv.write_bytes(csv.read_bytes()[:-2000])
    with pytest.raises(DataError, match=r"row 6, column 'Usage': .*cut off"):
        load_fer2013(csv)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"emotion,pixels,Usage\n", "no rows"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00", "lacks the column 'emotion'"),
        ("emotion,pixels,Usage\n".encode("utf-16"), "lacks the column 'emotion'"),
    ],
)
def test_what_is_no_fer2013_is_refused(tmp_path, content, sentence):
    path = tmp_path / "fer2013.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        load_fer2013(path)


def test_absent_files_and_folders_are_refused(tmp_path):
    with pytest.raises(DataError, match="is not a file"):
        load_fer2013(tmp_path / "none.csv")
    with pytest.raises(DataError, match=r"neither fer2013.csv nor icml_face_data.csv"):
        load_fer2013(tmp_path)


def test_a_split_the_file_lacks(tmp_path):
    path = tmp_path / "fer2013.csv"
    path.write_text(text_of(*random_faces(3)[:2], np.array([0, 0, 1])))
    assert load_fer2013(path, split="validation").ids.tolist() == [2]
    with pytest.raises(DataError, match=r"no split 'test'; it has train \(2 rows\), validation \(1 rows\)"):
        load_fer2013(path, split="test")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_corruption_gives_a_data_error_or_the_same_shape(csv, data):
    """Whatever bytes are damaged, cut or put in, only DataError may come out."""
    content = text_of(*random_faces(2)).encode()
    start = data.draw(st.one_of(st.integers(0, 40), st.integers(0, len(content)), st.just(len(content) - 5)))
    removed = data.draw(st.sampled_from([0, 1, 3, 500, len(content)]))
    put_in = data.draw(
        st.one_of(st.sampled_from([b"", b",", b"\n", b'"', b" ", b"999", b"\x00"]), st.binary(max_size=9))
    )
    csv.write_bytes(content[:start] + put_in + content[start + removed :])
    sentence, shape = "", (0, 48, 48)
    try:
        shape = load_fer2013(csv, cache=False).images.shape
    except DataError as error:
        sentence = str(error)
    assert str(csv) in sentence or shape in {(1, 48, 48), (2, 48, 48)}


class TestCache:
    @pytest.fixture
    def parses(self, monkeypatch):
        """How often the csv is really parsed."""
        import ferembed.data.readers.fer2013 as module

        calls = []
        parse = module._parse
        monkeypatch.setattr(module, "_parse", lambda path: calls.append(path) or parse(path))
        return calls

    @pytest.fixture(autouse=True)
    def user_folder(self, tmp_path, monkeypatch):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
        return tmp_path / "user" / "ferembed"

    def test_second_load_does_not_parse_and_gives_the_same(self, csv, parses):
        first, second = load_fer2013(csv), load_fer2013(csv)
        assert len(parses) == 1
        assert np.array_equal(first.images, second.images)
        assert first.labels.tolist() == second.labels.tolist()
        assert first.splits.tolist() == second.splits.tolist()

    def test_cache_off_leaves_no_trace(self, csv, user_folder):
        load_fer2013(csv, cache=False)
        assert [p.name for p in csv.parent.iterdir()] == [csv.name]
        assert not user_folder.exists()

    def test_an_edited_csv_never_gives_old_pixels(self, csv, parses):
        import os

        old = load_fer2013(csv)
        before = csv.stat()
        images, emotions, usages = random_faces(5)
        images = images.copy()
        images[2, 0, 0] = (int(images[2, 0, 0]) + 1) % 10  # the file may well keep its size
        csv.write_text(text_of(images, emotions, usages))
        os.utime(csv, ns=(before.st_atime_ns, before.st_mtime_ns))  # and its time
        new = load_fer2013(csv)
        assert np.array_equal(new.images, images)
        assert not np.array_equal(new.images, old.images)
        assert len(parses) == 2

    @pytest.mark.parametrize("damage", ["flip", "cut", "remove", "manifest", "config"])
    def test_a_damaged_cache_is_rebuilt(self, csv, parses, damage):
        good = load_fer2013(csv)
        folder = csv.with_name("fer2013.csv.ferembed-cache")
        file = folder / {"manifest": "manifest.json", "config": "config.json"}.get(damage, "images.npy")
        content = bytearray(file.read_bytes())
        if damage == "remove":
            file.unlink()
        elif damage == "flip":
            content[-1] ^= 1
            file.write_bytes(content)
        else:
            file.write_bytes(content[: len(content) // 2])
        assert np.array_equal(load_fer2013(csv).images, good.images)
        assert len(parses) == 2
        load_fer2013(csv)
        assert len(parses) == 2

    def test_where_the_csv_lies_cannot_be_written_the_user_folder_serves(self, csv, parses, user_folder, monkeypatch):
        real = cache_module.atomic_folder

        def refuse_beside(path):
            if path.parent == csv.parent:
                raise PermissionError(f"cannot write to {path}")
            return real(path)

        monkeypatch.setattr(cache_module, "atomic_folder", refuse_beside)
        first, second = load_fer2013(csv), load_fer2013(csv)
        assert len(parses) == 1
        assert np.array_equal(first.images, second.images)
        assert len(list(user_folder.iterdir())) == 1

    def test_where_nothing_can_be_written_loading_warns_and_works(self, csv, monkeypatch):
        def refuse(path):
            raise OSError("the disk is full")

        monkeypatch.setattr(cache_module, "atomic_folder", refuse)
        with pytest.warns(UserWarning, match="the disk is full"):
            assert len(load_fer2013(csv)) == 5


MEASURE = """
import re, sys
from ferembed.data import load_fer2013
faces = load_fer2013(sys.argv[1], cache=False)
peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())
print(int(peak[1]) / 2**20, len(faces))
"""


def test_the_pixels_of_a_row_are_parsed_together_not_one_by_one(tmp_path, calls_of):
    counts = []
    for rows in (20, 40):
        path = tmp_path / f"{rows}.csv"
        path.write_text(text_of(*random_faces(rows)))
        counts.append(calls_of(load_fer2013, path, cache=False))
    assert counts[1] - counts[0] < 20 * 48


def test_real_file(fer2013_csv, tmp_path):
    copy = shutil.copy(fer2013_csv, tmp_path)
    faces = load_fer2013(copy)
    assert repr(faces) == ("FaceDataset(32298 images of 48 x 48, 7 classes; train 28709, validation 3589, 13 blank)")
    train, validation = faces.split("train"), faces.split("validation")
    assert train.class_counts() == {
        "angry": 3995, "disgust": 436, "fear": 4097, "happy": 7215, "sad": 4830, "surprise": 3171, "neutral": 4965,
    }  # fmt: skip
    assert validation.class_counts() == {
        "angry": 467, "disgust": 56, "fear": 496, "happy": 895, "sad": 653, "surprise": 415, "neutral": 607,
    }  # fmt: skip
    assert (train.blank.sum(), validation.blank.sum()) == (12, 1)
    assert faces.images[0].ravel()[:5].tolist() == [70, 80, 82, 72, 58]
    again = load_fer2013(copy)
    assert np.array_equal(faces.images, again.images)
    with pytest.raises(DataError, match="no split 'test'"):
        load_fer2013(copy, split="test")


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from Linux's /proc")
def test_real_file_is_read_within_1_gigabyte(fer2013_csv):
    answer = subprocess.run(
        [sys.executable, "-c", MEASURE, str(fer2013_csv)], check=True, capture_output=True, text=True
    )
    gigabytes, rows = map(float, answer.stdout.split())
    assert rows == 32298
    assert gigabytes <= 1
