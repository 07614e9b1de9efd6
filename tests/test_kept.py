"""What earlier versions wrote to disk is read as they left it: see ``kept/write.py`` for how it was written."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from ferembed import Recipe, Recognizer, audit, drawn_faces, train
from ferembed import estimators as est
from ferembed.index import load_index
from ferembed.storage import StorageError

KEPT = Path(__file__).parent / "kept"
FACES = drawn_faces(210, image_size=32, seed=5)


def said(name):
    return load_file(KEPT / f"{name}.said.safetensors")


@pytest.mark.parametrize(
    ("folder", "answers"),
    [("recognizer-2", "recognizer"), ("recognizer-1", "recognizer-1"), ("exported.safetensors", "exported")],
)
def test_recognisers_say_what_they_said(folder, answers):
    recognizer, before = Recognizer.load(KEPT / folder), said(answers)
    embeddings = recognizer.encode(before["images"])
    np.testing.assert_allclose(embeddings, before["embeddings"], atol=1e-5)
    for name, voter in recognizer.voters.items():
        np.testing.assert_allclose(voter.predict_proba(before["embeddings"]), before[name], atol=1e-6)
    near = recognizer.neighbors(before["images"], k=4).similarities
    np.testing.assert_allclose(near, before["near"], atol=1e-5)


def test_a_recogniser_of_before_learns_and_forgets(tmp_path):
    shutil.copytree(KEPT / "recognizer-2", tmp_path / "r")
    recognizer = Recognizer.load(tmp_path / "r")
    recognizer.enroll("wink", FACES.split("test").images[:6] // 2)
    recognizer.forget("happy")
    again = Recognizer.load(tmp_path / "r").classes_.tolist()
    assert again == [name for name in (*FACES.classes, "wink") if name != "happy"]


CLASSIFIERS = {
    "knn": est.KNNClassifier,
    "head": est.SoftmaxHead,
    "temperature": est.CalibratedClassifier,
    "vector": est.CalibratedClassifier,
    "reject": est.RejectOption,
    "open_set": est.OpenSet,
    "voting": est.VotingEnsemble,
    "stacking": est.StackingEnsemble,
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers_say_what_they_said(name):
    before, folder = said("classifiers"), KEPT / "classifiers"
    knn, head = (CLASSIFIERS[member].load(folder / member) for member in ("knn", "head"))
    members = {"knn": knn, "head": head}
    if name in members:
        classifier = members[name]
    else:
        classifier = CLASSIFIERS[name].load(folder / name, members if name in {"voting", "stacking"} else knn)
    if name in before:
        np.testing.assert_allclose(classifier.predict_proba(before["X"]), before[name], atol=1e-6)
    if f"{name} says" in before:
        scores = classifier.score_samples(before["X"]) if name == "open_set" else knn.predict_proba(before["X"]).max(1)
        clear = ~np.isclose(scores, classifier.threshold_)  # at the threshold a last digit decides
        assert clear.sum() >= len(clear) - 1
        np.testing.assert_array_equal(classifier.predict(before["X"][clear]), before[f"{name} says"][clear])


@pytest.mark.parametrize("kind", ["exact", "flat", "ivf"])
def test_indexes_find_what_they_found(kind):
    before, index = said("indexes"), load_index(KEPT / "indexes" / kind)
    found = index.search(before["X"][:20], 6)
    np.testing.assert_array_equal(found.ids, before[f"{kind} ids"])
    np.testing.assert_array_equal(found.labels, before[f"{kind} labels"])
    np.testing.assert_allclose(found.similarities, before[f"{kind} similarities"], atol=1e-6)
    index.remove(found.ids[0][:2])
    index.add(before["X"][:6:5])
    assert index.search(before["X"][:6:5], 1).ids.ravel().tolist() == [358, 359]


def test_a_graph_of_before_is_refused_with_what_to_do():
    with pytest.raises(
        StorageError, match=r"kind 'hnsw', and the kinds are auto, exact, flat, ivf.*add the vectors anew"
    ):
        load_index(KEPT / "indexes" / "hnsw")


def test_a_run_of_before_goes_on_as_it_would_have(tmp_path):
    shutil.copytree(KEPT / "run", tmp_path / "run")
    recipe = Recipe.from_yaml(tmp_path / "run" / "recipe.yaml")
    train(recipe, FACES.split("train"), FACES.split("validation"), tmp_path / "run")
    with open(tmp_path / "run" / "logs" / "csv" / "metrics.csv", newline="") as file:
        losses = [float(row["train/loss"]) for row in csv.DictReader(file) if row["train/loss"]]
    np.testing.assert_allclose(losses, said("run")["losses"], atol=2e-3)


def test_the_fingerprints_of_data_are_those_of_before():
    assert audit(FACES).fingerprint == "0bf37bf9697eb2ce0d352c7b7892683ffd7cd9d65493b79b65538d5b3ae1f663"
