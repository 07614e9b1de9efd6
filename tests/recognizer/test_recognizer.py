"""The recogniser as its users meet it, on an untrained encoder: what is tested is the binding, not the accuracy."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from ferembed import DataError, FaceDataset, Recognizer, StorageError, drawn_faces, evaluate
from ferembed.labels import FER2013_CLASSES
from ferembed.models import Encoder, Network
from ferembed.probability import most_probable

FACES = drawn_faces(400, image_size=32, seed=1)
TEST = FACES.split("test")


def network(num_classes=7, seed=0):
    torch.manual_seed(seed)
    arguments = {"channels": (8, 8, 8, 8), "stem_width": 8}
    return Network(Encoder("resnet10t", 16, 32, stem="standard", backbone_args=arguments), num_classes)


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer.build(network(), FACES.split("train"), FACES.split("validation"), info={"seed": 0})


def test_classes_keep_their_order(recognizer):
    assert recognizer.classes_.tolist() == list(FER2013_CLASSES)


def test_predictions_are_the_most_probable_names(recognizer):
    proba = recognizer.predict_proba(TEST.images)
    assert proba.shape == (len(TEST), 7)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert (recognizer.predict(TEST.images) == np.array(FER2013_CLASSES)[most_probable(proba)]).all()


def test_one_image_in_any_guise_is_the_row_of_its_batch(recognizer, tmp_path):
    Image.fromarray(TEST.images[3]).save(tmp_path / "face.png")
    row = recognizer.predict_proba(TEST.images)[3:4]
    guises = [TEST.images[3], TEST.images[3] / 255.0, Image.fromarray(TEST.images[3]), tmp_path / "face.png"]
    for guise in [*guises, [tmp_path / "face.png"]]:
        np.testing.assert_allclose(recognizer.predict_proba(guise), row, atol=1e-5)


FORKED = """
import multiprocessing, sys
import numpy as np
import torch
torch.set_num_threads(2)
from ferembed import Recognizer, drawn_faces
recognizer = Recognizer.load(sys.argv[1])
faces = drawn_faces(600, image_size=32, seed=1).images
expected = recognizer.predict(faces)
with multiprocessing.get_context("fork").Pool(2) as pool:
    for answer in pool.map(recognizer.predict, [faces, faces]):
        assert (answer == expected).all()
assert torch.get_num_threads() == 2
"""


@pytest.mark.processes
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a fork")
def test_it_answers_in_a_child_forked_after_it_computed_on_several_threads(recognizer, tmp_path):
    recognizer.save(tmp_path / "saved")
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED, str(tmp_path / "saved")], check=True, timeout=300)


def test_an_array_of_another_layout_enrols_nothing(recognizer, tmp_path):
    recognizer.save(tmp_path / "saved")
    before = len(recognizer.gallery_ids)
    with pytest.raises(DataError, match="a side of 4 pixels"):
        recognizer.enroll("wink", np.zeros((48, 48, 4), np.uint8))
    assert len(recognizer.gallery_ids) == before == len(Recognizer.load(tmp_path / "saved").gallery_ids)


def test_an_empty_batch_has_empty_answers(recognizer):
    none = TEST.images[:0]
    assert recognizer.encode(none).shape == (0, 16)
    assert recognizer.predict_proba(none).shape == (0, 7)
    assert recognizer.predict(none).shape == (0,)
    assert recognizer.neighbors(none, k=3).ids.shape == (0, 3)


def test_every_voter_can_be_asked_alone(recognizer):
    embeddings = recognizer.encode(TEST.images)
    assert list(recognizer.voters) == ["softmax", "knn", "vote"]
    for voter in recognizer.voters.values():
        np.testing.assert_allclose(voter.predict_proba(embeddings).sum(axis=1), 1)
    vote = recognizer.voters["vote"].predict_proba(embeddings)
    np.testing.assert_array_equal(vote, recognizer.predict_proba(TEST.images))


def test_views_are_averaged_on_the_sphere(recognizer):
    mirrored = TEST.images[:, :, ::-1]
    both = recognizer.encode(TEST.images) + recognizer.encode(mirrored)
    flipped = recognizer.encode(TEST.images, views="flip")
    np.testing.assert_allclose(flipped, both / np.linalg.norm(both, axis=1, keepdims=True), atol=1e-5)
    np.testing.assert_allclose(recognizer.encode(mirrored, "flip"), flipped, atol=1e-5)
    crops = recognizer.encode(TEST.images, "ten_crop")
    np.testing.assert_allclose(np.linalg.norm(crops, axis=1), 1, atol=1e-5)
    assert np.abs(crops - flipped).max() > 1e-3
    np.testing.assert_array_equal(recognizer.encode(TEST.images, "single"), recognizer.encode(TEST.images))


@pytest.mark.parametrize("views", ["flip", "ten_crop"])
def test_every_answer_takes_views(recognizer, views):
    embeddings = recognizer.encode(TEST.images, views)
    proba = recognizer.voters["vote"].predict_proba(embeddings)
    np.testing.assert_array_equal(recognizer.predict_proba(TEST.images, views), proba)
    assert (recognizer.predict(TEST.images, views=views) == recognizer.classes_[most_probable(proba)]).all()
    near = recognizer.neighbors(TEST.images, k=1, views=views)
    np.testing.assert_allclose(
        near.similarities[:, 0], (embeddings @ recognizer.gallery_embeddings.T).max(axis=1), atol=1e-5
    )


def test_unknown_views_are_refused(recognizer):
    with pytest.raises(ValueError, match="views must be 'single', 'flip' or 'ten_crop', not 'twelve'"):
        recognizer.encode(TEST.images, "twelve")


def test_the_gallery_can_be_read(recognizer):
    train = FACES.split("train").without_blank()
    np.testing.assert_allclose(recognizer.gallery_embeddings, recognizer.encode(train.images), atol=1e-6)
    assert recognizer.gallery_labels.tolist() == [train.classes[label] for label in train.labels]
    assert recognizer.gallery_ids.tolist() == train.ids.tolist()


def test_neighbours_are_those_of_a_plain_search(recognizer):
    train = FACES.split("train").without_blank()
    near = recognizer.neighbors(TEST.images, k=4)
    cosines = recognizer.encode(TEST.images) @ recognizer.encode(train.images).T
    np.testing.assert_allclose(near.similarities, -np.sort(-cosines, axis=1)[:, :4], atol=1e-5)
    place = {row: i for i, row in enumerate(train.ids.tolist())}
    for ids, labels in zip(near.ids, near.labels, strict=True):
        assert [train.classes[train.labels[place[i]]] for i in ids] == labels.tolist()


def test_a_gallery_face_is_its_own_nearest_neighbour_and_a_known_copy(recognizer):
    train = FACES.split("train")
    near = recognizer.neighbors(train.images[:5], k=1)
    np.testing.assert_allclose(near.similarities[:, 0], 1, atol=1e-5)
    assert recognizer.copies_in_gallery(train).all()
    assert not recognizer.copies_in_gallery(TEST).any()


def test_saved_and_reloaded_it_says_the_same(recognizer, tmp_path):
    recognizer.save(tmp_path / "r")
    twin = Recognizer.load(tmp_path / "r")
    np.testing.assert_allclose(twin.predict_proba(TEST.images), recognizer.predict_proba(TEST.images), atol=1e-6)
    assert twin.classes_.tolist() == recognizer.classes_.tolist()
    assert twin.info == {"seed": 0}
    embeddings = recognizer.encode(TEST.images)
    for name, voter in recognizer.voters.items():
        np.testing.assert_allclose(
            twin.voters[name].predict_proba(embeddings), voter.predict_proba(embeddings), atol=1e-6
        )


def test_no_file_of_it_is_a_pickle(recognizer, tmp_path):
    recognizer.save(tmp_path / "r")
    files = [file for file in (tmp_path / "r").rglob("*") if file.is_file()]
    assert not {file.suffix for file in files} & {".pkl", ".pt", ".pth", ".joblib", ".ckpt"}
    assert not any(file.read_bytes()[:2] == b"\x80\x04" for file in files)
    json.loads((tmp_path / "r" / "config.json").read_text())


def test_every_file_of_it_is_guarded(recognizer, tmp_path):
    recognizer.save(tmp_path / "r")
    files = [file for file in (tmp_path / "r").rglob("*") if file.is_file() and file.name != "manifest.json"]
    assert len(files) >= 6
    for file in files:
        whole = file.read_bytes()
        file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(StorageError, match=file.name):
            Recognizer.load(tmp_path / "r")
        file.write_bytes(whole)
    Recognizer.load(tmp_path / "r")


def test_what_is_no_recogniser_is_refused(tmp_path):
    with pytest.raises(StorageError, match="not a folder saved by ferembed"):
        Recognizer.load(tmp_path)


def test_saving_never_takes_other_files_away(recognizer, tmp_path):
    models = tmp_path / "models"
    models.mkdir()
    (models / "vgg.bin").write_bytes(b"weeks of training")
    with pytest.raises(StorageError, match=r"vgg\.bin"):
        recognizer.save(models)
    assert os.listdir(models) == ["vgg.bin"]
    recognizer.save(models / "mine")
    assert sorted(os.listdir(models)) == ["mine", "vgg.bin"]


def test_saved_into_the_folder_of_a_run_it_stands_beside_the_rest(recognizer, tmp_path):
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    (run / "recipe.yaml").write_text("epochs: 3")
    (run / "checkpoints" / "best.ckpt").write_bytes(b"weights")
    recognizer.save(run)
    again = Recognizer.load(run)
    again.save(run)
    assert sorted(os.listdir(run)) == ["checkpoints", "recipe.yaml", "recognizer"]
    assert (run / "checkpoints" / "best.ckpt").read_bytes() == b"weights"


def test_a_failed_save_keeps_the_old_one(recognizer, tmp_path, monkeypatch):
    recognizer.save(tmp_path / "r")
    monkeypatch.setattr("ferembed.recognizer.folder.write_json", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        recognizer.save(tmp_path / "r")
    monkeypatch.undo()
    assert Recognizer.load(tmp_path / "r").predict(TEST.images[:1]).shape == (1,)
    assert os.listdir(tmp_path) == ["r"]


def test_without_a_softmax_head_one_is_fitted_to_the_gallery():
    built = Recognizer.build(network(num_classes=0), FACES.split("train"), FACES.split("validation"))
    assert built.voters["softmax"].predict_proba(built.encode(TEST.images)).shape == (len(TEST), 7)


def test_a_class_without_gallery_faces_is_named():
    train = FACES.split("train")
    with pytest.raises(DataError, match="no training image shows disgust"):
        Recognizer.build(network(), train.subset(train.labels != 1), FACES.split("validation"))


def test_blank_faces_never_vote():
    blank = FaceDataset(np.zeros((2, 32, 32), np.uint8), [0, 1], FACES.classes, ids=[10**6, 10**6 + 1])
    train = FACES.split("train")
    joined = FaceDataset(
        np.concatenate([train.images, blank.images]),
        np.concatenate([train.labels, blank.labels]),
        FACES.classes,
        ids=np.concatenate([train.ids, blank.ids]),
    )
    built = Recognizer.build(network(), joined, FACES.split("validation"))
    assert built.gallery_ids.tolist() == train.ids.tolist()


def test_evaluation_reports_both_columns_and_where_it_was_calibrated(recognizer):
    train, validation = FACES.split("train"), FACES.split("validation")
    mixed = FaceDataset(
        np.concatenate([validation.images, train.images[:10]]),
        np.concatenate([validation.labels, train.labels[:10]]),
        FACES.classes,
        splits=["validation"] * (len(validation) + 10),
    )
    evaluation = evaluate(recognizer, mixed)
    assert (evaluation.images, evaluation.copies) == (len(validation) + 10, 10)
    alone = evaluate(recognizer, validation)
    assert alone.all_images["knn"].accuracy == pytest.approx(evaluation.without_copies["knn"].accuracy)
    json.dumps(evaluation.to_dict(), allow_nan=False)


def test_evaluation_takes_classes_in_any_order_and_refuses_unknown_ones(recognizer):
    order = list(reversed(FER2013_CLASSES))
    turned = TEST.with_labels([order.index(TEST.classes[label]) for label in TEST.labels], order)
    assert evaluate(recognizer, turned).all_images == evaluate(recognizer, TEST).all_images
    with pytest.raises(DataError, match="also names contempt"):
        evaluate(recognizer, TEST.with_labels(TEST.labels, ["contempt", *FER2013_CLASSES[1:]]))
