"""The vote in torch against the vote in NumPy, for everything a recogniser can be made of."""

import itertools

import numpy as np
import pytest
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from ferembed.estimators import CalibratedClassifier, KNNClassifier, SoftmaxHead, VotingEnsemble
from ferembed.explain._voting import vote


def unit(n, seed, d=16):
    vectors = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


GALLERY, HELD_OUT, QUERIES = unit(300, 0), unit(200, 1), unit(40, 2)
LABELS, TRUTH = (vectors[:, :5].argmax(axis=1) for vectors in (GALLERY, HELD_OUT))


def assert_same(classifier, queries=QUERIES):
    expected = classifier.predict_proba(queries)
    found = vote(classifier, torch.from_numpy(queries))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("weights", "k", "temperature", "balanced", "smoothing"),
    list(itertools.product(["softmax", "distance", "uniform"], [1, 20, 1000], [0.05, 0.5], [False, True], [0.0, 0.05])),
)
def test_every_weighting_of_neighbours(weights, k, temperature, balanced, smoothing):
    knn = KNNClassifier(k, weights=weights, temperature=temperature, balanced=balanced, smoothing=smoothing)
    assert_same(knn.fit(GALLERY, LABELS))


@pytest.mark.parametrize("weights", ["softmax", "distance", "uniform"])
def test_row_weights_soft_labels_prototypes_and_removals(weights):
    rng = np.random.default_rng(3)
    assert_same(KNNClassifier(10, weights=weights).fit(GALLERY, LABELS, sample_weight=rng.integers(0, 4, 300)))
    soft = KNNClassifier(10, weights=weights).fit(GALLERY, LABELS, votes=rng.integers(0, 3, (300, 5)))
    assert_same(soft)
    assert_same(soft.forget(2))
    assert_same(KNNClassifier(3, weights=weights, prototypes=4).fit(GALLERY, LABELS))


def test_a_softmax_head():
    assert_same(SoftmaxHead().fit(GALLERY, LABELS))
    assert_same(SoftmaxHead().fit(GALLERY, LABELS % 2))


@pytest.mark.parametrize("method", ["temperature", "vector", "isotonic", "joint_isotonic"])
def test_every_calibration(method):
    for classifier in (SoftmaxHead(), KNNClassifier(20), KNNClassifier(20, smoothing=0.0)):
        frozen = FrozenEstimator(classifier.fit(GALLERY, LABELS))
        assert_same(CalibratedClassifier(frozen, method).fit(HELD_OUT, TRUTH))


@pytest.mark.parametrize("pool", ["arithmetic", "log"])
@pytest.mark.parametrize("calibration", [None, "temperature"])
def test_the_whole_vote(pool, calibration):
    members = [("softmax", SoftmaxHead().fit(GALLERY, LABELS)), ("knn", KNNClassifier(20).fit(GALLERY, LABELS))]
    frozen = [(name, FrozenEstimator(member)) for name, member in members]
    ensemble = VotingEnsemble(frozen, pool=pool, calibration=calibration).fit(HELD_OUT, TRUTH)
    ensemble.weights_ = np.array([0.3, 0.7])
    assert_same(ensemble)


def test_a_member_that_does_not_know_a_class():
    knows_less = KNNClassifier(20).fit(GALLERY[LABELS > 0], LABELS[LABELS > 0])
    members = [("less", FrozenEstimator(knows_less)), ("all", FrozenEstimator(SoftmaxHead().fit(GALLERY, LABELS)))]
    assert_same(VotingEnsemble(members).fit(HELD_OUT, TRUTH))


@pytest.mark.parametrize("weights", ["softmax", "distance"])
def test_gradients_through_similarities_are_those_of_finite_differences(weights):
    knn = KNNClassifier(300, weights=weights, smoothing=0.05).fit(GALLERY, LABELS)
    calibrated = CalibratedClassifier(FrozenEstimator(knn)).fit(HELD_OUT, TRUTH)
    query = torch.from_numpy(QUERIES[:1]).requires_grad_()
    (found,) = torch.autograd.grad(vote(calibrated, query)[0, 0], query)
    assert found.abs().max() > 1e-3
    for column in range(0, 16, 5):
        step = np.zeros_like(QUERIES[:1])
        step[0, column] = 3e-3
        ahead, behind = (calibrated.predict_proba(QUERIES[:1] + sign * step)[0, 0] for sign in (1, -1))
        assert found[0, column].item() == pytest.approx((ahead - behind) / 6e-3, rel=0.02, abs=1e-4)


@pytest.mark.parametrize("method", ["isotonic", "joint_isotonic"])
def test_gradients_pass_isotonic_steps_by(method):
    knn = KNNClassifier(20).fit(GALLERY, LABELS)
    calibrated = CalibratedClassifier(FrozenEstimator(knn), method).fit(HELD_OUT, TRUTH)
    members = [
        ("curves", FrozenEstimator(calibrated)),
        ("softmax", FrozenEstimator(SoftmaxHead().fit(GALLERY, LABELS))),
    ]
    ensemble = VotingEnsemble(members).fit(HELD_OUT, TRUTH)
    query = torch.from_numpy(QUERIES).requires_grad_()
    (expected,) = torch.autograd.grad(vote(knn, query)[:, 0].sum(), query)
    (found,) = torch.autograd.grad(vote(calibrated, query)[:, 0].sum(), query)
    torch.testing.assert_close(found, expected)
    assert (found.abs().amax(dim=1) > 0).float().mean() > 0.5
    (joined,) = torch.autograd.grad(vote(ensemble, query)[:, 0].sum(), query)
    assert (joined.abs().amax(dim=1) > 0).all()


def test_a_foreign_classifier_is_named():
    with pytest.raises(TypeError, match="LogisticRegression cannot be followed"):
        vote(LogisticRegression().fit(GALLERY, LABELS), torch.from_numpy(QUERIES))
