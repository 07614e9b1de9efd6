"""Expressions that come and go after training, on an encoder that has never seen them."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from ferembed import DataError, FaceDataset, Recognizer, StorageError, evaluate
from ferembed.labels import FER2013_CLASSES
from ferembed.models import Encoder, Network
from ferembed.recognizer.voters import renamed
from ferembed.storage import write_json

NEW = "surprise"
SIDE = 32


def without(faces, name):
    names = tuple(each for each in faces.classes if each != name)
    kept = faces.subset(faces.labels != faces.classes.index(name))
    return kept.with_labels([names.index(faces.classes[label]) for label in kept.labels], names)


def only(faces, name):
    return faces.subset(faces.labels == faces.classes.index(name)).images


def striped_faces(n):
    """Seven "expressions" told apart by the direction of stripes: easy, so that a second of training is enough."""
    rng = np.random.default_rng(4)
    labels = np.arange(n) % 7
    angles = labels[:, None, None] * np.pi / 7 + 0.06 * rng.normal(size=(n, 1, 1))
    y, x = np.mgrid[:SIDE, :SIDE]
    waves = np.sin(x * np.cos(angles) + y * np.sin(angles) + rng.uniform(0, 2 * np.pi, (n, 1, 1)))
    images = 128 + 50 * waves + 40 * rng.normal(size=(n, SIDE, SIDE))
    splits = rng.choice(["train", "validation", "test"], n, p=[0.5, 0.3, 0.2])
    return FaceDataset(images.clip(0, 255).astype(np.uint8), labels, FER2013_CLASSES, splits=splits)


FACES = striped_faces(1400)
KNOWN = without(FACES, NEW)
TEST = KNOWN.split("test")
ENROLLED, STRANGERS = np.split(only(FACES, NEW)[:120], [50])
CHECKED = np.maximum(only(FACES, "neutral"), only(FACES, "sad"))[:80]


@pytest.fixture(scope="module")
def trained():
    """A network fitted for a second to six of the seven expressions."""
    torch.manual_seed(0)
    arguments = {"channels": (16, 16, 32, 32), "stem_width": 16}
    network = Network(Encoder("resnet10t", 32, SIDE, stem="standard", backbone_args=arguments), len(KNOWN.classes))
    train = KNOWN.split("train")
    pixels, labels = torch.from_numpy(train.images / 255).float()[:, None], torch.from_numpy(train.labels.copy())
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(5):
        for rows in torch.randperm(len(labels)).split(64):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(network.softmax(network.encoder(pixels[rows])), labels[rows]).backward()
            optimiser.step()
    return network


@pytest.fixture
def recognizer(trained):
    return Recognizer.build(trained, KNOWN.split("train"), KNOWN.split("validation"), info={"seed": 0})


def accuracy(recognizer, faces=TEST):
    return float((recognizer.predict(faces.images) == np.array(faces.classes)[faces.labels]).mean())


def test_an_enrolled_expression_is_found_and_the_others_keep_their_names(recognizer):
    before = accuracy(recognizer)
    assert before > 0.8
    recognizer.enroll(NEW, ENROLLED)
    assert recognizer.classes_.tolist() == [*KNOWN.classes, NEW]
    assert (recognizer.predict(STRANGERS) == NEW).mean() > 0.7
    assert accuracy(recognizer) >= before - 0.01
    proba = recognizer.predict_proba(TEST.images)
    assert proba.shape == (len(TEST), 7)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    for voter in recognizer.voters.values():
        assert (voter.predict_proba(recognizer.encode(STRANGERS)).argmax(axis=1) == 6).mean() > 0.6


def test_probabilities_are_calibrated_again(recognizer):
    recognizer.enroll(NEW, ENROLLED)
    images = np.concatenate([TEST.images, STRANGERS])
    truth = np.concatenate([TEST.labels, np.full(len(STRANGERS), 6)])
    proba = recognizer.predict_proba(images)
    right = proba[np.arange(len(truth)), truth]
    assert -np.log(right).mean() < 0.7
    assert abs(proba.max(axis=1).mean() - (proba.argmax(axis=1) == truth).mean()) < 0.1


def test_held_out_faces_lose_no_more_than_half_a_point(recognizer):
    recognizer.enroll(NEW, ENROLLED)
    validation = KNOWN.split("validation")
    proba = recognizer.predict_proba(validation.images)
    assert renamed(proba, validation.labels, 6) <= 0.005 + 1 / len(validation)


def test_an_expression_that_looks_like_the_others_takes_no_names(recognizer):
    before = recognizer.predict(TEST.images)
    mixed = KNOWN.split("validation").images[:50]  # "new" faces that are no new expression
    recognizer.enroll("fiction", mixed)
    assert (recognizer.predict(TEST.images) != before).mean() < 0.1


def test_what_was_enrolled_can_be_forgotten(recognizer):
    before = recognizer.predict_proba(TEST.images)
    ids = recognizer.gallery_ids
    recognizer.enroll(NEW, ENROLLED)
    assert (recognizer.gallery_labels == NEW).sum() == len(ENROLLED) == (recognizer.gallery_ids < 0).sum()
    assert len(recognizer.gallery_embeddings) == len(ids) + len(ENROLLED)
    recognizer.forget(NEW)
    assert recognizer.classes_.tolist() == list(KNOWN.classes)
    np.testing.assert_array_equal(recognizer.gallery_ids, ids)
    np.testing.assert_allclose(recognizer.predict_proba(TEST.images), before, atol=1e-6)
    ghosts = FaceDataset(ENROLLED, np.zeros(50, np.int64), (NEW,))
    assert not recognizer.copies_in_gallery(ghosts).any()


def test_a_trained_expression_can_be_forgotten_and_enrolled_again(recognizer):
    name = KNOWN.classes[2]
    recognizer.enroll(NEW, ENROLLED)
    recognizer.forget(name)
    assert recognizer.classes_.tolist() == [each for each in [*KNOWN.classes, NEW] if each != name]
    assert (recognizer.predict(STRANGERS) == NEW).mean() > 0.7
    assert name not in recognizer.neighbors(TEST.images, k=3).labels
    assert accuracy(recognizer, without(TEST, name)) > 0.8
    recognizer.enroll(name, only(KNOWN.split("train"), name))
    assert recognizer.classes_[-1] == name
    assert (recognizer.predict(only(TEST, name)) == name).mean() > 0.5
    assert recognizer.predict_proba(TEST.images).shape == (len(TEST), 7)


def test_a_known_expression_takes_more_faces(recognizer):
    more = only(KNOWN.split("test"), "happy")
    recognizer.enroll("happy", more)
    assert recognizer.classes_.tolist() == list(KNOWN.classes)
    near = recognizer.neighbors(more, k=1)
    np.testing.assert_allclose(near.similarities, 1, atol=1e-4)
    assert (near.ids < 0).all()
    assert (near.labels == "happy").all()


def test_a_class_is_the_same_however_it_is_spelled(recognizer):
    known = recognizer.classes_.tolist()
    count = int((recognizer.gallery_labels == "happy").sum())
    recognizer.enroll("  Happiness", STRANGERS[:3])
    recognizer.enroll("HAPPY", STRANGERS[3:6])
    assert recognizer.classes_.tolist() == known
    assert int((recognizer.gallery_labels == "happy").sum()) == count + 6
    recognizer.enroll("Cafe\u0301", ENROLLED[:20])
    recognizer.enroll("caf\u00e9 ", ENROLLED[20:])
    assert recognizer.classes_.tolist() == [*known, "caf\u00e9"]
    recognizer.forget("CAF\u00c9")
    assert recognizer.classes_.tolist() == known
    spelled = TEST.with_labels(TEST.labels, [name.upper() for name in TEST.classes])
    assert evaluate(recognizer, spelled, resamples=0).images == len(TEST)


def test_several_expressions_can_be_enrolled(recognizer):
    recognizer.enroll(NEW, ENROLLED[:25])
    recognizer.enroll("checked", CHECKED[:40])
    recognizer.enroll(NEW, ENROLLED[25:])
    assert recognizer.classes_[-2:].tolist() == [NEW, "checked"]
    assert (recognizer.gallery_labels == NEW).sum() == 50
    assert len(set(recognizer.gallery_ids.tolist())) == len(recognizer.gallery_ids)
    assert (recognizer.predict(STRANGERS) == NEW).mean() > 0.6
    assert (recognizer.predict(CHECKED[40:]) == "checked").mean() > 0.5


def test_changes_are_written_to_the_folder(recognizer, tmp_path):
    recognizer.save(tmp_path / "r")
    recognizer.enroll(NEW, ENROLLED)
    twin = Recognizer.load(tmp_path / "r")
    np.testing.assert_allclose(twin.predict_proba(STRANGERS), recognizer.predict_proba(STRANGERS), atol=1e-6)
    np.testing.assert_array_equal(twin.gallery_ids, recognizer.gallery_ids)
    twin.forget(NEW)
    third = Recognizer.load(tmp_path / "r")
    assert third.classes_.tolist() == list(KNOWN.classes)
    third.enroll(NEW, ENROLLED, save=False)
    assert Recognizer.load(tmp_path / "r").classes_.tolist() == list(KNOWN.classes)
    np.testing.assert_allclose(third.predict_proba(STRANGERS), recognizer.predict_proba(STRANGERS), atol=1e-6)


def test_enrolments_from_several_threads_are_all_kept(recognizer, tmp_path):
    recognizer.save(tmp_path / "saved")
    names = ["one", "two", "three"]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(recognizer.enroll, names, [ENROLLED, STRANGERS, CHECKED]))
    assert set(recognizer.classes_) == {*KNOWN.classes, *names}
    assert Recognizer.load(tmp_path / "saved").classes_.tolist() == recognizer.classes_.tolist()


def test_an_enrolment_does_not_undo_what_another_process_saved(recognizer, tmp_path):
    recognizer.save(tmp_path / "saved")
    first, second = Recognizer.load(tmp_path / "saved"), Recognizer.load(tmp_path / "saved")
    first.enroll(NEW, ENROLLED)
    with pytest.raises(StorageError, match="changed by another writer"):
        second.enroll("checked", CHECKED)
    assert "checked" not in second.classes_
    assert NEW in Recognizer.load(tmp_path / "saved").classes_
    first.enroll("checked", CHECKED)
    assert {NEW, "checked"} < set(Recognizer.load(tmp_path / "saved").classes_)


def test_a_change_that_cannot_be_saved_does_not_happen(recognizer, tmp_path, monkeypatch):
    recognizer.save(tmp_path / "r")
    before = recognizer.predict_proba(TEST.images)
    monkeypatch.setattr("ferembed.recognizer.folder.write_json", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        recognizer.enroll(NEW, ENROLLED)
    monkeypatch.undo()
    np.testing.assert_array_equal(recognizer.predict_proba(TEST.images), before)
    assert Recognizer.load(tmp_path / "r").classes_.tolist() == list(KNOWN.classes)


def test_copies_count_once(recognizer):
    recognizer.enroll(NEW, np.concatenate([ENROLLED, ENROLLED[:10]]))
    assert (recognizer.gallery_labels == NEW).sum() == 50
    recognizer.enroll(NEW, np.concatenate([ENROLLED[:10], STRANGERS[:1]]))
    assert (recognizer.gallery_labels == NEW).sum() == 51
    with pytest.raises(DataError, match="0 new images cannot enrol surprise: give 1 or more"):
        recognizer.enroll(NEW, ENROLLED[:10])


def test_what_cannot_be_enrolled_or_forgotten_is_named(recognizer):
    with pytest.raises(DataError, match="1 new images cannot enrol surprise: give 2 or more"):
        recognizer.enroll(NEW, ENROLLED[0])
    with pytest.raises(DataError, match="label must be the name of an expression, not ' '"):
        recognizer.enroll(" ", ENROLLED)
    with pytest.raises(DataError, match="image 1 is blank"):
        recognizer.enroll(NEW, np.stack([ENROLLED[0], np.full((SIDE, SIDE), 9, np.uint8)]))
    with pytest.raises(DataError, match="no expression 'contempt' to forget; the recogniser knows angry"):
        recognizer.forget("contempt")
    for name in KNOWN.classes[:4]:
        recognizer.forget(name)
    with pytest.raises(DataError, match="one trained expression would be left"):
        recognizer.forget(KNOWN.classes[4])
    assert recognizer.classes_.tolist() == list(KNOWN.classes[4:])


def test_other_validation_faces_can_calibrate(recognizer):
    half = KNOWN.split("validation").subset(np.arange(100))
    recognizer.enroll(NEW, ENROLLED)
    before = recognizer.predict_proba(TEST.images)
    assert recognizer.calibrated_on(half).all()
    assert not recognizer.calibrated_on(TEST).any()
    recognizer.calibrate(TEST)
    assert recognizer.calibrated_on(TEST).all()
    assert not recognizer.calibrated_on(half).any()
    assert np.abs(recognizer.predict_proba(TEST.images) - before).max() > 1e-4
    with pytest.raises(DataError, match="the data also names surprise"):
        recognizer.calibrate(FACES.split("test"))


def test_format_1_is_read_and_asks_for_held_out_faces_before_it_changes(recognizer, tmp_path):
    recognizer.save(tmp_path / "r")
    old = as_format_1(tmp_path / "r")
    np.testing.assert_allclose(old.predict_proba(TEST.images), recognizer.predict_proba(TEST.images), atol=1e-6)
    for change in (lambda: old.enroll(NEW, ENROLLED), lambda: old.forget("happy")):
        with pytest.raises(StorageError, match="give it some by calibrate"):
            change()
    assert not old.calibrated_on(TEST).any()
    old.calibrate(KNOWN.split("validation"))
    old.enroll(NEW, ENROLLED)
    assert (Recognizer.load(tmp_path / "r").predict(STRANGERS) == NEW).mean() > 0.7


def as_format_1(folder):
    import json

    from safetensors.numpy import load_file, save_file

    from ferembed.storage import sha256

    (folder / "held_out.safetensors").unlink()
    columns = load_file(folder / "gallery.safetensors")
    save_file({name: columns[name] for name in ("ids", "labels", "hashes")}, folder / "gallery.safetensors")
    config = json.loads((folder / "config.json").read_text())
    config.pop("trained")
    write_json(folder / "config.json", {**config, "format": 1})
    files = [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]
    sums = {name: sha256(folder / name) for name in files if name != "manifest.json"}
    write_json(folder / "manifest.json", {"files": sums})
    return Recognizer.load(folder)
