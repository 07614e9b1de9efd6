import os
import subprocess
import sys

import pytest

from ferembed.storage import MANIFEST, StorageError, atomic_folder, atomic_path, verify_folder, write_json


def test_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    target = tmp_path / "state.json"
    write_json(target, {"a": 1})
    with pytest.raises(RuntimeError), atomic_path(target) as draft:
        draft.write_text("half")
        raise RuntimeError
    assert target.read_text() == '{\n  "a": 1\n}\n'
    assert os.listdir(tmp_path) == ["state.json"]


def test_json_refuses_nan(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", {"nll": float("nan")})
    assert os.listdir(tmp_path) == []


def fill(path, text):
    with atomic_folder(path) as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "a.txt").write_text(text)


def test_folder_is_replaced_whole(tmp_path):
    fill(tmp_path / "run", "one")
    fill(tmp_path / "run", "two")
    assert (verify_folder(tmp_path / "run") / "sub" / "a.txt").read_text() == "two"
    assert os.listdir(tmp_path) == ["run"]


def test_failed_folder_leaves_the_old_one(tmp_path):
    fill(tmp_path / "run", "one")
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "run") as folder:
        (folder / "b.txt").write_text("half")
        raise RuntimeError
    assert (verify_folder(tmp_path / "run") / "sub" / "a.txt").read_text() == "one"
    assert os.listdir(tmp_path) == ["run"]


KILLED_BETWEEN_RENAMES = """
import os, sys
from ferembed import storage
real, calls = os.replace, []
def replace(a, b):
    if str(b) == sys.argv[1]:
        os._exit(9)
    real(a, b)
os.replace = replace
with storage.atomic_folder(sys.argv[1]) as folder:
    (folder / "b.txt").write_text("new")
"""


def test_a_process_killed_between_the_renames_loses_nothing(tmp_path):
    fill(tmp_path / "run", "one")
    done = subprocess.run([sys.executable, "-c", KILLED_BETWEEN_RENAMES, str(tmp_path / "run")])
    assert done.returncode == 9
    assert not (tmp_path / "run").exists()
    assert (verify_folder(tmp_path / "run") / "sub" / "a.txt").read_text() == "one"


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (lambda run: (run / "sub" / "a.txt").write_text("on"), "a.txt is truncated or altered"),
        (lambda run: (run / "sub" / "a.txt").unlink(), "a.txt is missing"),
        (lambda run: (run / MANIFEST).unlink(), "not a folder saved by ferembed"),
        (lambda run: (run / MANIFEST).write_text("{}"), "not a ferembed manifest"),
    ],
)
def test_harmed_folders_are_refused_by_name(tmp_path, harm, sentence):
    fill(tmp_path / "run", "one")
    harm(tmp_path / "run")
    with pytest.raises(StorageError, match=sentence):
        verify_folder(tmp_path / "run")
