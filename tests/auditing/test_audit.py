"""The audit as a whole: what it says of faces whose faults are known, what it writes, and the command."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import ferembed as fe
from ferembed import progress as progress_module
from ferembed.auditing import audit, count_classes, find_label_issues, find_outliers, outliers, run
from ferembed.auditing.as_html import plot_balance
from ferembed.auditing.copies import candidates
from ferembed.auditing.copies import find as copies
from ferembed.cli import app
from ferembed.data import DataError, FaceDataset, drawn_faces
from ferembed.data.image_files import ImageFiles


class Plain:
    """Stands in for a recogniser: its embeddings are pixels."""

    image_size, channels = 48, 1

    def __init__(self, learnt=0):
        self.encoded, self.learnt = 0, learnt
        self.engine, self.files, self.weights = self, self, {}

    def copies_in_gallery(self, faces, exact):
        return np.arange(len(faces)) < self.learnt

    def encode(self, images):
        self.encoded += len(images)
        flat = images.reshape(len(images), -1).astype(np.float32) - 128
        return flat / np.linalg.norm(flat, axis=1, keepdims=True)


def faulty():
    faces = drawn_faces(280, seed=3)
    sign = np.full((48, 48), 255, np.uint8)
    sign[10:38, 22:26] = 0
    pictures = [np.zeros((48, 48), np.uint8), sign, faces.images[4], faces.images[5][:, ::-1]]
    return FaceDataset(
        np.concatenate([faces.images, pictures]),
        np.concatenate([faces.labels, [0, 1, faces.labels[4], (faces.labels[5] + 1) % 7]]),
        faces.classes,
        splits=np.concatenate([np.full(280, "train"), ["train", "train", "test", "validation"]]),
        source="faulty",
    )


FACES = faulty()


def test_faults_are_found_written_and_taken_out(tmp_path):
    recognizer = Plain()
    report = audit(FACES, recognizer, out=tmp_path)
    assert report.copies.redundant.tolist() == [4, 5]
    assert report.outliers.of("blank").ids.tolist() == [280]
    assert report.outliers.of("placeholder").ids.tolist() == [281]
    assert report.balance.splits == ("train", "validation", "test")
    assert report.balance.counts.sum() == 284
    assert report.labels is not None
    assert len(FACES.clean_split(report.copies)) == 282
    assert 280 not in FACES.without(report.outliers.of("blank", "placeholder")).ids

    written = json.loads((tmp_path / "audit.json").read_text())
    assert written["copies"]["leaking_ids"] == [4, 5]
    assert written["copies"]["groups_with_several_labels"] == 1
    assert written["outliers"]["blank"] == 1
    assert sum(written["balance"]["train"].values()) == 282
    page = (tmp_path / "audit.html").read_text()
    for title in ("Balance", "Copies", "Outliers", "Labels", "Most doubtful"):
        assert re.search(f"<h[23]>{title}</h[23]>", page)
    assert "http://" not in re.sub(r'xmlns(:\w+)?="[^"]*"|<!DOCTYPE[^>]*>', "", page).replace("http://www.w3.org", "")

    before = recognizer.encoded
    again = audit(FACES, recognizer, out=tmp_path)
    assert recognizer.encoded == before == len(FACES)
    assert again.to_dict() == report.to_dict()


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_finding_is_a_table_that_names_rows_and_files(tmp_path):
    """Also where a file has a comma, a quotation mark and letters of other scripts in its name."""
    report = audit(FACES, Plain(), out=tmp_path / "rows")
    found = tmp_path / "rows"
    assert [int(line["row"]) for line in rows_of(found / "copies.csv")] == report.copies.ids.tolist()
    assert {line["file"] for line in rows_of(found / "copies.csv")} == {""}
    assert [int(line["row"]) for line in rows_of(found / "labels.csv")] == report.labels.ids.tolist()
    near = rows_of(found / "near_copies.csv")
    assert [[int(line["row"]), int(line["other_row"])] for line in near] == report.copies.pairs.tolist()
    assert float(near[0]["scale_across"]) < 0
    assert "row 280" in (found / "audit.html").read_text()

    for row in (*range(70), 280, 281, 282):
        folder = tmp_path / "faces" / FACES.splits[row] / FACES.classes[FACES.labels[row]]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(FACES.images[row]).save(folder / f'{row}, "Ж".png')
    audit(fe.load_folder(tmp_path / "faces"), Plain(), out=tmp_path / "files")
    odd = rows_of(tmp_path / "files" / "outliers.csv")
    assert [Path(line["file"]).name for line in odd if line["kind"] == "blank"] == ['280, "Ж".png']
    assert Path(odd[0]["file"]).is_file()
    assert str(Path("train") / "angry" / "280, &#34;Ж&#34;.png") in (tmp_path / "files" / "audit.html").read_text()


def test_what_an_encoder_learnt_by_heart_is_estimated():
    labels = np.repeat(np.arange(4), 100)
    proba = np.eye(4)[labels] * 0.8 + 0.05
    doubted = np.r_[0:20, 300:390]  # a fifth of the first hundred, nine tenths of the last
    proba[doubted] = np.roll(proba[doubted], 1, axis=1)
    faces = FaceDataset(np.zeros((400, 8, 8), np.uint8), labels, tuple("abcd"))
    learnt = find_label_issues(faces, probabilities=proba, learnt=np.arange(400) < 300).learnt
    assert (learnt.faces, learnt.doubted, learnt.others, learnt.others_doubted) == (300, 20, 100, 90)
    assert learnt.hidden == 250
    assert "300 of these faces taught the encoder, which doubts 7% of their labels and 90%" in str(learnt)
    assert find_label_issues(faces, probabilities=proba).learnt is None
    report = audit(FACES, Plain(learnt=len(FACES)))
    assert report.labels.learnt.hidden is None
    assert "no other face tells how many" in str(report.labels.learnt)


def test_a_collapsed_embedding_doubts_nothing_and_is_called_so(tmp_path):
    class Collapsed(Plain):
        def encode(self, images):
            rng = np.random.default_rng(0)
            return np.ones((len(images), 16), np.float32) / 4 + 1e-8 * rng.normal(size=(len(images), 16)).astype("f4")

    report = audit(FACES, Collapsed(), out=tmp_path)
    assert report.collapsed
    assert report.labels is None
    assert report.copies.redundant.tolist() == [4, 5]
    assert json.loads((tmp_path / "audit.json").read_text())["embedding_has_collapsed"]
    assert "The embedding has collapsed" in (tmp_path / "audit.html").read_text()
    assert not (tmp_path / "labels.csv").exists()


def test_a_class_of_too_few_faces_is_left_out_of_the_doubts_and_said(tmp_path):
    faces = drawn_faces(140, seed=3)
    happy = np.flatnonzero(faces.labels == 3)
    rare = faces.subset(np.setdiff1d(np.arange(140), happy[1:]))
    report = audit(rare, Plain(), out=tmp_path)
    assert report.labels.unjudged == ("happy",)
    assert happy[0] not in report.labels.ids
    kept = rare.subset(rare.labels != 3)
    assert report.labels.ids.tolist() == audit(kept, Plain()).labels.ids.tolist()
    assert report.labels.joint[3].tolist() == report.labels.joint[:, 3].tolist() == [0] * 7
    assert json.loads((tmp_path / "audit.json").read_text())["labels"]["unjudged"] == ["happy"]
    assert "too few faces: happy" in (tmp_path / "audit.html").read_text()


@pytest.mark.parametrize("rows", [[0], [0, 7, 14], [0, 1], [0, 1, 2, 7]])
def test_where_no_label_can_be_doubted_the_rest_is_found(tmp_path, rows):
    faces = drawn_faces(140, seed=3).subset(rows)
    report = audit(faces, Plain(), out=tmp_path)
    assert len(report.labels) == 0
    assert report.labels.unjudged == tuple(name for name, count in faces.class_counts().items() if count)
    assert (tmp_path / "audit.html").is_file()


def test_what_else_lies_in_the_folder_stays(tmp_path):
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages" / "thesis.tex").write_text("years")
    first, second = drawn_faces(140, seed=3), drawn_faces(140, seed=4)
    for faces in (first, second, first):
        assert audit(faces, out=tmp_path).images == 140
    assert (tmp_path / "stages" / "thesis.tex").read_text() == "years"


def test_two_faces_that_are_copies_do_not_make_a_class_that_can_be_judged():
    faces = drawn_faces(140, seed=3)
    happy = np.flatnonzero(faces.labels == 3)
    rows = np.concatenate([np.flatnonzero(faces.labels != 3), happy[[0]]])
    images = np.concatenate([faces.images[rows], faces.images[happy[[0]]]])
    twice = FaceDataset(images, [*faces.labels[rows], 3], faces.classes)
    assert audit(twice, Plain()).labels.unjudged == ("happy",)


def test_probabilities_serve_in_place_of_a_recogniser():
    proba = np.eye(7)[FACES.labels] * 0.8 + 0.2 / 7
    proba[7] = np.roll(proba[7], 1)
    assert audit(FACES, probabilities=proba).labels.ids.tolist() == [7]


def test_a_face_like_no_other_is_unusual():
    faces = drawn_faces(400)
    images = np.array(faces.images)
    images[33] = 128 + 100 * np.sin(np.arange(48)[:, None] / 2.5)  # waves, and no face
    found = find_outliers(FaceDataset(images, faces.labels, faces.classes)).of("unusual")
    assert found.ids[0] == 33
    assert len(found) == 2
    with pytest.raises(DataError, match="kinds of outliers are"):
        found.of("ugly")


def test_the_picture_of_the_balance_shows_every_count():
    axes = plot_balance(audit(FACES).balance)
    assert len(axes.patches) == 21
    assert sum(bar.get_width() for bar in axes.patches) == 284


def test_the_picture_of_the_balance_holds_any_number_of_splits():
    splits = np.array(["train", "validation", "test", "wild", "web", "film"])[np.arange(len(FACES)) % 6]
    axes = plot_balance(count_classes(replace(FACES, splits=splits)))
    assert len(axes.patches) == 42
    axes.figure.canvas.draw()


def test_a_sign_on_a_shaded_ground_is_a_placeholder_and_a_face_before_a_wall_is_none():
    faces = drawn_faces(70)
    down = np.arange(48)[:, None] * np.ones(48)
    sign = (180 + down / 4).astype(np.uint8)  # a dozen grey levels, no step between them
    sign[16:36, 8:40] = 110
    sign[24:28, 14:34:8] = 200
    ramp = (5 * down).astype(np.uint8)
    images = np.concatenate([faces.images, np.stack([sign, ramp])])
    found = find_outliers(FaceDataset(images, [*faces.labels, 0, 0], faces.classes))
    assert found.of("placeholder").ids.tolist() == [70]


def test_every_long_stage_says_how_far_it_is(monkeypatch):
    bars = []

    class Bar:
        def __init__(self, what, total, completed):
            self.task_ids = [0]
            self.what, self.total, self.completed = what, total, completed
            bars.append(self)

        def update(self, _, completed):
            self.completed = completed

        def stop(self):
            pass

    monkeypatch.setattr(progress_module, "PATIENCE", -1)
    monkeypatch.setattr(progress_module, "_started", Bar)
    audit(FACES, Plain())
    assert all(bar.completed == bar.total for bar in bars)
    assert [bar.what for bar in bars] == [
        "Indexing signatures",
        "Looking for copies",
        "Laying them over each other",
        "Encoding faces",
        "Fitting without each fold",
        "Looking at each picture",
        "Looking for odd pictures",
    ]


def test_files_are_audited_a_part_at_a_time(tmp_path, monkeypatch):
    """A folder larger than memory: never are all its pictures decoded at once, and the findings are the same."""
    for row, image in enumerate(FACES.images):
        folder = tmp_path / "faces" / FACES.splits[row] / FACES.classes[FACES.labels[row]]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{row:03}.png")
    whole = audit(fe.load_folder(tmp_path / "faces"), Plain()).to_dict()
    read, most = ImageFiles.__getitem__, []

    def watched(files, rows):
        found = read(files, rows)
        most.append(len(found) if found.ndim > 2 else 1)
        return found

    for module, name in ((copies, "_BLOCK"), (candidates, "_INDEXED"), (outliers, "_AT_ONCE"), (run, "_ENCODED")):
        monkeypatch.setattr(module, name, 50)
    monkeypatch.setattr(copies, "_SEARCHED", 50)
    monkeypatch.setattr(ImageFiles, "__getitem__", watched)
    monkeypatch.setattr(ImageFiles, "__array__", None)
    assert audit(fe.load_folder(tmp_path / "faces", in_memory=False), Plain()).to_dict() == whole
    assert max(most) <= 64


def test_what_cannot_be_audited_is_refused_with_a_sentence():
    with pytest.raises(DataError, match="holds no faces"):
        audit(FACES.subset([]))
    with pytest.raises(DataError, match="ids of the faces must differ"):
        audit(FACES.subset([0, 0]))
    with pytest.raises(DataError, match=r"rows must lie in 0\.\.283"):
        FACES.without([284])


def test_the_command_and_the_public_name(tmp_path):
    for row, image in enumerate(FACES.images):
        folder = tmp_path / "faces" / FACES.splits[row] / FACES.classes[FACES.labels[row]]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{row}.png")
    done = CliRunner().invoke(app, ["audit", str(tmp_path / "faces"), "--out", str(tmp_path / "found")])
    assert done.exit_code == 0, done.output
    assert "groups" in done.output
    assert (tmp_path / "found" / "audit.html").is_file()
    assert fe.audit is audit
