from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ferembed.cli import main
from ferembed.data import DataError, FaceDataset, load_dataset, reader
from ferembed.data.readers import sources

PIXELS = " ".join(["9"] * 2304)
VOTES = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"


def fer2013(folder: Path, name: str = "fer2013.csv") -> Path:
    path = folder / name
    path.write_text(f"emotion,pixels,Usage\n3,{PIXELS},Training\n")
    return path


def test_fer2013_by_its_header_with_votes_beside_it(tmp_path):
    path = fer2013(tmp_path, "any.csv")
    assert load_dataset(path).votes is None
    (tmp_path / "fer2013new.csv").write_text(f"{VOTES}Training,a.png,0,10,0,0,0,0,0,0,0,0\n")
    assert load_dataset(path).votes[0].argmax() == 1
    assert load_dataset(path, votes=None).votes is None


def test_a_folder_with_fer2013_or_a_tree(tmp_path):
    (tmp_path / "happy").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "happy" / "a.png")
    assert load_dataset(tmp_path, image_size=24).images.shape == (1, 24, 24)
    fer2013(tmp_path)
    assert load_dataset(str(tmp_path)).source.endswith("fer2013.csv")


def test_a_manifest(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    table = tmp_path / "faces.csv"
    table.write_text("path,label,split\na.png,sad,test\n")
    assert load_dataset(table).split_names == ("test",)


def test_drawn_faces_by_name():
    assert len(load_dataset("drawn", n=70)) == 70


def test_anything_else_is_refused(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        load_dataset(tmp_path / "none.csv")
    (tmp_path / "faces.txt").write_text("")
    with pytest.raises(DataError, match="is no csv, Parquet file or folder"):
        load_dataset(tmp_path / "faces.txt")
    (tmp_path / "faces.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="neither FER2013's columns"):
        load_dataset(tmp_path / "faces.csv")


@pytest.fixture
def contributed(tmp_path, monkeypatch):
    """What the section of CONTRIBUTING.md on a reader defines, in an empty working folder."""
    monkeypatch.setattr(sources, "_READERS", dict(sources._READERS))
    monkeypatch.chdir(tmp_path)
    text = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = re.split(r"^## ", text.split("## A reader\n")[1], flags=re.MULTILINE)[0]
    names = {}
    exec("\n".join(re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)), names)
    return names


def test_a_reader_of_ones_own_is_asked_and_gets_what_it_has(contributed, tmp_path):
    faces, drawn = contributed["faces"], load_dataset("drawn", n=140)
    assert np.array_equal(faces.images, drawn.split("test").images)
    renamed = load_dataset("faces.npz", image_size=24, colour=True, classes=[*drawn.classes[:-1], "calm"])
    assert renamed.images.shape == (140, 48, 48)
    assert renamed.classes[-1] == "calm"
    with pytest.raises(TypeError, match="in_memory"):
        load_dataset("faces.npz", in_memory=False)
    np.savez("half.npz", images=faces.images)
    with pytest.raises(DataError, match=r"half.npz lacks the array 'classes'"):
        load_dataset(tmp_path / "half.npz")
    with pytest.raises(DataError, match=r"none.csv does not exist: give .* or a \.npz of images, labels and classes"):
        load_dataset("none.csv")


def test_the_command_line_knows_a_reader_of_ones_own(contributed, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["ferembed", "audit", "faces.npz", "--out", "found"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert "140 faces of faces.npz" in Path("found", "audit.html").read_text()


def test_a_reader_defined_later_is_asked_first_and_anew_takes_the_place_of_the_older(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "_READERS", dict(sources._READERS))
    faces, known = load_dataset("drawn", n=70), len(sources._READERS)
    for count in (1, 2):

        @reader("any folder", takes=lambda source: Path(source).is_dir())
        def read(path, count=count):
            return faces.subset(np.arange(count))

        assert len(load_dataset(tmp_path)) == count
        assert len(sources._READERS) == known + 1
    with pytest.raises(DataError, match="has classes of its own"):
        load_dataset(tmp_path, classes=["happy"])


def test_classes_are_not_named_for_data_that_have_their_own(tmp_path):
    for source in (fer2013(tmp_path), tmp_path, "drawn"):
        assert load_dataset(source, image_size=48, colour=True).classes
        with pytest.raises(DataError, match="has classes of its own"):
            load_dataset(source, classes=["happy"])


def test_blank_images_are_those_without_contrast():
    images = np.zeros((3, 4, 4, 3), np.uint8)
    images[0] = (200, 0, 0)  # one colour all over
    images[1, 0, 0] = 3
    images[2, 0, 0] = (0, 60, 0)
    assert FaceDataset(images, [0, 0, 0], ("sad",)).blank.tolist() == [True, True, False]
    assert FaceDataset(images[:0], [], ("sad",)).blank.tolist() == []


def test_importing_the_package_imports_no_heavy_library():
    heavy = ["torch", "faiss", "sklearn", "pandas", "PIL", "matplotlib", "rich", "pyarrow"]
    code = f"import sys, ferembed.data; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"
