"""The audit as a whole: what it says of faces whose faults are known, what it writes, and the command."""

import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

import ferembed as fe
from ferembed.auditing import audit, find_outliers
from ferembed.auditing.pages import plot_balance
from ferembed.cli import app
from ferembed.data import DataError, FaceDataset, drawn_faces


class Plain:
    """Stands in for a recogniser: its embeddings are pixels."""

    def __init__(self):
        self.encoded = 0
        self.encoder = self

    def state_dict(self):
        return {}

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


def test_probabilities_serve_in_place_of_a_recogniser():
    proba = np.eye(7)[FACES.labels] * 0.8 + 0.2 / 7
    proba[7] = np.roll(proba[7], 1)
    assert audit(FACES, probabilities=proba).labels.ids.tolist() == [7]


def test_a_face_like_no_other_is_unusual():
    vectors = np.ones((400, 4), np.float32) + 0.01 * np.random.default_rng(0).normal(size=(400, 4)).astype(np.float32)
    vectors[33] = [1, -1, 1, -1]
    faces = drawn_faces(400)
    found = find_outliers(faces, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).of("unusual")
    assert found.ids[0] == 33
    assert len(found) == 2
    with pytest.raises(DataError, match="kinds of outliers are"):
        found.of("ugly")


def test_the_picture_of_the_balance_shows_every_count():
    axes = plot_balance(audit(FACES).balance)
    assert len(axes.patches) == 21
    assert sum(bar.get_height() for bar in axes.patches) == 284


def test_what_cannot_be_audited_is_refused_with_a_sentence():
    with pytest.raises(DataError, match="holds no faces"):
        audit(FACES.subset([]))
    with pytest.raises(DataError, match="ids of the faces must differ"):
        audit(FACES.subset([0, 0]))
    with pytest.raises(DataError, match=r"rows must lie in 0\.\.283"):
        FACES.without([284])


def test_the_command_and_the_public_name(tmp_path):
    done = CliRunner().invoke(app, ["audit", "drawn", "--out", str(tmp_path / "found")])
    assert done.exit_code == 0, done.output
    assert "groups" in done.output
    assert (tmp_path / "found" / "audit.html").is_file()
    assert fe.audit is audit
