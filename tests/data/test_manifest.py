from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from ferembed.data import RAFDB_FOLDERS, DataError, load_manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "faces").mkdir()
    for tone in (10, 20, 30):
        Image.new("L", (60, 60), tone).save(tmp_path / "faces" / f"{tone}.png")
    return tmp_path


ROWS = [("faces/30.png", "Happiness", "train"), ("faces/10.png", "sad", "val"), ("faces/20.png", "happy", "test")]


def csv_of(folder: Path, rows: list[tuple[str, str, str]] = ROWS, name: str = "faces.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(["path,label,split", *map(",".join, rows)]))
    return path


def parquet_of(folder: Path, **columns: list) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = columns or dict(zip(("path", "label", "split"), map(list, zip(*ROWS, strict=True)), strict=True))
    parquet.write_table(pyarrow.table(columns), folder / "faces.parquet")
    return folder / "faces.parquet"


@pytest.mark.parametrize("table_of", [csv_of, parquet_of])
def test_rows_keep_the_order_of_the_table(folder, table_of):
    faces = load_manifest(table_of(folder))
    assert faces.classes == ("happy", "sad")
    assert faces.labels.tolist() == [0, 1, 0]
    assert faces.splits.tolist() == ["train", "validation", "test"]
    assert faces.images.mean(axis=(1, 2)).tolist() == [30, 10, 20]
    assert Path(faces.paths[0]) == folder / "faces" / "30.png"


def test_columns_may_stand_in_any_order_beside_others(folder):
    table = folder / "faces.csv"
    table.write_text('split,age,path,label\ntest,"30, or so",faces/10.png,4\n')
    faces = load_manifest(table, classes=RAFDB_FOLDERS, colour=True, image_size=32)
    assert faces.images.shape == (1, 32, 32, 3)
    assert faces.classes[faces.labels[0]] == "happy"


def test_numbers_as_labels_in_parquet(folder):
    table = parquet_of(folder, path=["faces/10.png"], label=[4], split=["train"])
    faces = load_manifest(table, classes=RAFDB_FOLDERS)
    assert faces.classes[faces.labels[0]] == "happy"


def test_relative_paths_start_at_the_root(folder, tmp_path_factory):
    elsewhere = csv_of(tmp_path_factory.mktemp("elsewhere"))
    assert len(load_manifest(elsewhere, root=folder)) == 3
    with pytest.raises(DataError, match=r"row 2, column 'path': .*30.png is not a file"):
        load_manifest(elsewhere)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (("faces/none.png", "sad", "train"), r"row 5, column 'path': .*none.png is not a file"),
        (("", "sad", "train"), "row 5, column 'path': an empty cell"),
        (("faces/broken.png", "sad", "train"), r"row 5, column 'path': .*broken.png cannot be decoded"),
        (("faces/10.png", "", "train"), "row 5, column 'label': the cell is empty"),
        (("faces/10.png", "sad", "tset"), "row 5, column 'split': 'tset' is none of train"),
        (("faces/10.png", "sad", ""), "row 5, column 'split': '' is none of"),
    ],
)
def test_a_bad_cell_is_named(folder, row, sentence):
    (folder / "faces" / "broken.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataError, match=r"faces\.csv, " + sentence):
        load_manifest(csv_of(folder, [*ROWS, row]))


def test_labels_outside_classes_and_short_rows(folder):
    with pytest.raises(DataError, match=r"row 3, column 'label': 'sad' is not in classes, which know happy"):
        load_manifest(csv_of(folder), classes=["happy"])
    with pytest.raises(DataError, match=r"row 5, column 'split': the row has 2 cells, not 3"):
        load_manifest(csv_of(folder, [*ROWS, ("faces/10.png", "sad")]))


def test_tables_that_are_none(folder):
    table = folder / "faces.csv"
    for content, sentence in (
        (b"", "lacks the column 'path'"),
        (b"path,label\n", "lacks the column 'split'"),
        (b"path,label,split\n", "no rows"),
        (b"path,label,split\n\xff\xfe,sad,train\n", "no UTF-8 CSV"),
    ):
        table.write_bytes(content)
        with pytest.raises(DataError, match=sentence):
            load_manifest(table)
    with pytest.raises(DataError, match="is not a file"):
        load_manifest(folder / "none.csv")
    pytest.importorskip("pyarrow")
    (folder / "faces.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match="no readable Parquet"):
        load_manifest(folder / "faces.parquet")
    with pytest.raises(DataError, match="lacks the column 'split'"):
        load_manifest(parquet_of(folder, path=["faces/10.png"], label=["sad"]))


def test_parquet_without_pyarrow_says_what_to_install(folder, monkeypatch):
    table = folder / "faces.parquet"
    table.write_bytes(b"")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match="pip install pyarrow"):
        load_manifest(table)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_corruption_gives_a_data_error_or_faces(folder, data):
    content = csv_of(folder).read_bytes()
    start = data.draw(st.integers(0, len(content)))
    removed = data.draw(st.integers(0, 12))
    put_in = data.draw(st.one_of(st.sampled_from([b"", b",", b"\n", b'"', b"\x00"]), st.binary(max_size=9)))
    table = folder / "damaged.csv"
    table.write_bytes(content[:start] + put_in + content[start + removed :])
    sentence, rows = "", 0
    try:
        rows = len(load_manifest(table))
    except DataError as error:
        sentence = str(error)
    assert str(table) in sentence or 1 <= rows <= 4
