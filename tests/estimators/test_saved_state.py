"""What all classifiers promise of their folders: checked bytes, parameters of any plain kind, clear refusals."""

import os

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, LeaveOneOut, StratifiedKFold

from ferembed.estimators import (
    CalibratedClassifier,
    KNNClassifier,
    OpenSet,
    RejectOption,
    SoftmaxHead,
    StackingEnsemble,
    VotingEnsemble,
)
from ferembed.estimators.saved import plain_parameters
from ferembed.storage import StorageError, atomic_folder, verify_folder

X, y = make_blobs(240, centers=3, n_features=4, cluster_std=3.0, random_state=0)
MEMBER = KNNClassifier(5).fit(X, y)
FROZEN = FrozenEstimator(MEMBER)
BUILT = [
    KNNClassifier(np.int64(5), temperature=np.float64(0.1)),
    SoftmaxHead(np.float32(0.5), class_weight={0: np.float64(2.0), 1: 1.0, 2: 1.0}),
    CalibratedClassifier(FROZEN, cv=StratifiedKFold(3)),
    RejectOption(FROZEN, np.float64(0.1), cv=KFold(np.int64(4), shuffle=True, random_state=1)),
    OpenSet(FROZEN, np.float64(0.1), cv=LeaveOneOut()),
    VotingEnsemble([("knn", FROZEN)], cv=StratifiedKFold(3)),
    StackingEnsemble([("knn", FROZEN)], C=np.float64(0.1), cv=np.int64(5)),
]
built = pytest.mark.parametrize("classifier", BUILT, ids=lambda each: type(each).__name__)


def load(classifier, path):
    if isinstance(classifier, (KNNClassifier, SoftmaxHead)):
        return type(classifier).load(path)
    members = {"knn": MEMBER} if hasattr(classifier, "estimators") else MEMBER
    return type(classifier).load(path, members)


@built
def test_numpy_numbers_and_splitters_are_saved(tmp_path, classifier):
    classifier.fit(X, y).save(tmp_path / "saved")
    again = load(classifier, tmp_path / "saved")
    np.testing.assert_array_equal(again.predict(X), classifier.predict(X))
    without = {"estimator", "estimators"} | ({"cv"} if isinstance(classifier, CalibratedClassifier) else set())
    assert plain_parameters(again, without) == plain_parameters(classifier, without)
    assert not any(isinstance(value, np.generic) for value in again.get_params(deep=False).values())
    if isinstance(classifier, (RejectOption, OpenSet, VotingEnsemble)):
        assert type(again.cv) is type(classifier.cv)


@built
@pytest.mark.parametrize("file", ["arrays.safetensors", "config.json"])
def test_a_flipped_byte_is_found_and_folders_without_checksums_load(tmp_path, classifier, file):
    path = tmp_path / "saved"
    classifier.fit(X, y).save(path)
    whole = bytearray((path / file).read_bytes())
    spoilt = whole.copy()
    spoilt[-3] ^= 1
    (path / file).write_bytes(spoilt)
    with pytest.raises(StorageError, match=f"{file} is truncated or altered"):
        load(classifier, path)
    (path / file).write_bytes(whole)
    (path / "manifest.json").unlink()
    np.testing.assert_array_equal(load(classifier, path).predict(X), classifier.predict(X))


@built
def test_a_folder_may_be_saved_over_and_hold_others(tmp_path, classifier):
    classifier.fit(X, y)
    with atomic_folder(tmp_path / "saved") as folder:
        classifier.save(folder)
        MEMBER.save(folder / "classifier")
    verify_folder(tmp_path / "saved")
    MEMBER.save(tmp_path / "saved" / "classifier")
    classifier.save(tmp_path / "saved")
    np.testing.assert_array_equal(load(classifier, tmp_path / "saved").predict(X), classifier.predict(X))


@pytest.mark.parametrize(
    "unfitted",
    [
        KNNClassifier(),
        SoftmaxHead(),
        CalibratedClassifier(LogisticRegression()),
        RejectOption(LogisticRegression()),
        OpenSet(KNNClassifier()),
        VotingEnsemble([("a", LogisticRegression())]),
        StackingEnsemble([("a", LogisticRegression())]),
    ],
    ids=lambda each: type(each).__name__,
)
def test_an_unfitted_classifier_says_so(tmp_path, unfitted):
    with pytest.raises(NotFittedError, match=f"This {type(unfitted).__name__} instance is not fitted yet"):
        unfitted.save(tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


@pytest.mark.parametrize(
    ("classifier", "parameter"),
    [
        (RejectOption(FROZEN, cv=[(np.arange(120), np.arange(120, 240))]), "cv"),
        (VotingEnsemble([("knn", FROZEN)], cv=[(np.arange(120), np.arange(120, 240))]), "cv"),
        (KNNClassifier(random_state=np.random.RandomState(0)), "random_state"),
    ],
    ids=["reject", "vote", "knn"],
)
def test_a_parameter_that_cannot_be_saved_is_named_before_anything_is_written(tmp_path, classifier, parameter):
    classifier.fit(X, y)
    with pytest.raises(ValueError, match=rf"^{parameter} of {type(classifier).__name__}, a \w+, cannot be saved"):
        classifier.save(tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


def test_whoever_may_read_the_folder_may_read_its_files(tmp_path):
    before = os.umask(0o022)
    try:
        MEMBER.save(tmp_path / "knn")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*") if path.is_file()}
    assert set(modes.values()) == {0o644}, modes
