import os
import subprocess
import sys
from pathlib import Path

import pytest

from ferembed.storage import (
    MANIFEST,
    StorageError,
    atomic_folder,
    atomic_path,
    read_folder,
    state_of,
    verify_folder,
    write_json,
)


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


def text(folder):
    return (folder / "sub" / "a.txt").read_text()


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
    before = sorted(os.listdir(tmp_path))
    assert read_folder(tmp_path / "run", text) == "one"
    assert sorted(os.listdir(tmp_path)) == before  # whoever reads may not be allowed to write
    fill(tmp_path / "run", "two")
    assert read_folder(tmp_path / "run", text) == "two"
    assert ".run.old" not in os.listdir(tmp_path)


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


@pytest.mark.parametrize("foreign", ["thesis.tex", "sub/notes.txt", "link"])
def test_a_folder_that_holds_anything_else_is_left_as_it_is(tmp_path, foreign):
    fill(tmp_path / "run", "one")
    if foreign == "link":
        (tmp_path / "run" / "link").symlink_to("nowhere")
    else:
        (tmp_path / "run" / foreign).write_text("years of work")
    with pytest.raises(StorageError, match=f"{foreign}, which this library did not save there"):
        fill(tmp_path / "run", "two")
    assert text(tmp_path / "run") == "one"
    assert os.path.lexists(tmp_path / "run" / foreign)
    assert os.listdir(tmp_path) == ["run"]


def test_a_file_that_comes_while_the_folder_is_filled_is_kept(tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(StorageError, match="late.txt"), atomic_folder(tmp_path / "run"):
        (tmp_path / "run" / "late.txt").write_text("kept")
    assert (tmp_path / "run" / "late.txt").read_text() == "kept"


def test_an_empty_folder_and_what_file_managers_leave_are_no_hindrance(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".DS_Store").write_bytes(b"icons")
    fill(tmp_path / "run", "one")
    assert text(tmp_path / "run") == "one"


def test_the_folder_one_stands_in_and_a_file_are_refused(tmp_path, monkeypatch):
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    for path in (".", "..", tmp_path):
        with pytest.raises(StorageError, match="stands in it"):
            fill(path, "one")
    fill("here", "one")
    assert text(Path("here")) == "one"
    write_json("file.json", {})
    with pytest.raises(StorageError, match="is a file"):
        fill("file.json", "one")


def test_a_link_stays_a_link_and_what_it_points_to_is_written(tmp_path):
    fill(tmp_path / "release-1", "one")
    (tmp_path / "current").symlink_to("release-1")
    fill(tmp_path / "current", "two")
    assert (tmp_path / "current").is_symlink()
    assert read_folder(tmp_path / "current", text) == read_folder(tmp_path / "release-1", text) == "two"
    write_json(tmp_path / "state.json", 1)
    (tmp_path / "link.json").symlink_to("state.json")
    write_json(tmp_path / "link.json", 2)
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "state.json").read_text() == "2\n"


def test_the_umask_decides_who_may_read(tmp_path):
    before = os.umask(0o027)
    try:
        with atomic_folder(tmp_path / "run") as folder:
            (folder / "sub").mkdir()
            for name in ("a.txt", "sub/b.txt"):
                (folder / name).write_text("a")
                (folder / name).chmod(0o600)
        with atomic_path(tmp_path / "file") as draft:
            draft.chmod(0o600)
    finally:
        os.umask(before)
    found = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert found == {"run": 0o750, "sub": 0o750, "a.txt": 0o640, "b.txt": 0o640, MANIFEST: 0o640, "file": 0o640}


def test_what_another_writer_changed_is_not_overwritten_unseen(tmp_path):
    fill(tmp_path / "run", "one")
    seen = state_of(tmp_path / "run")
    fill(tmp_path / "run", "two")
    with pytest.raises(StorageError, match="was changed by another writer"), atomic_folder(tmp_path / "run", seen):
        pass
    assert text(tmp_path / "run") == "two"
    with atomic_folder(tmp_path / "run", state_of(tmp_path / "run")):
        pass


WRITER = """
import sys
from ferembed.storage import atomic_folder
for turn in range(40):
    with atomic_folder(sys.argv[1]) as folder:
        for name in "abc":
            (folder / name).write_text(f"{sys.argv[2]} {turn}")
print("ready")
"""


@pytest.mark.processes
def test_readers_and_two_writers_at_once_all_see_whole_folders(tmp_path):
    target = tmp_path / "run"
    with atomic_folder(target) as folder:
        for name in "abc":
            (folder / name).write_text("first")
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(target), name], stdout=subprocess.PIPE) for name in "xy"
    ]
    seen = []
    while any(writer.poll() is None for writer in writers):
        seen.append(read_folder(target, lambda folder: {(folder / name).read_text() for name in "abc"}))
    assert [writer.stdout.read() for writer in writers] == [b"ready\n"] * 2
    for writer in writers:
        writer.stdout.close()
    assert all(len(texts) == 1 for texts in seen)
    assert (target / "a").read_text() in ("x 39", "y 39")
    assert os.listdir(tmp_path) == ["run"]


def test_without_locks_a_reader_reads_again_what_changed_under_it(tmp_path, monkeypatch):
    monkeypatch.setattr("ferembed.storage.fcntl", None)
    fill(tmp_path / "run", "one")
    changes = iter(["two", "three"])

    def read_slowly(folder):
        if (change := next(changes, None)) is not None:
            fill(tmp_path / "run", change)
        return text(folder)

    assert read_folder(tmp_path / "run", read_slowly) == "three"
