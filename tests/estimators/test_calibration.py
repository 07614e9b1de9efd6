"""Calibrations against scikit-learn, closed forms and their invariants."""

import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_blobs, make_classification
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

from ferembed import probability as helpers
from ferembed.estimators import (
    CalibratedClassifier,
    IsotonicCalibration,
    KNNClassifier,
    TemperatureScaling,
    calibration_from_dict,
    fit_calibration,
)
from ferembed.estimators.answers import probabilities_of
from ferembed.estimators.likelihood import (
    CLASS_ROWS,
    LITTLE,
    PRIOR_ROWS,
    apply_softmax_map,
    evidence,
    fit_softmax_map,
)
from ferembed.probability import TIE
from ferembed.storage import StorageError

pytestmark = pytest.mark.filterwarnings("ignore:.* held-out rows, fewer than 100", "ignore:.* of which y holds no row")
METHODS = ["temperature", "vector", "isotonic", "joint_isotonic"]


def drawn(seed, n=2000, c=4, temperature=1.0):
    """Probabilities and labels drawn from them, the probabilities then raised to ``temperature`` and normalised."""
    rng = np.random.default_rng(seed)
    truth = rng.dirichlet(np.full(c, 0.7), n)
    labels = (truth.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    told = np.maximum(truth, 1e-9) ** temperature
    return told / told.sum(axis=1, keepdims=True), labels


def beside_prior(classifier, X, y, weights=None, rows=PRIOR_ROWS):
    """The data, and all of ``X`` again under every label, weighted as the classifier itself would have it."""
    weights = np.ones(len(y)) if weights is None else weights
    said = probabilities_of(classifier, X)
    prior = rows / evidence(len(y), weights) * weights[:, None] * said
    labels = np.repeat(classifier.classes_, len(y))
    return np.vstack([X] * (1 + said.shape[1])), np.append(y, labels), np.append(weights, prior.T.ravel())


@pytest.fixture(scope="module")
def overlapping():
    X, y = make_blobs(900, centers=4, n_features=3, cluster_std=4.5, random_state=3)
    return X[:300], y[:300], X[300:600], y[300:600], X[600:]


@pytest.mark.parametrize("model", [GaussianNB(), LogisticRegression(), LinearSVC()], ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.filterwarnings("ignore:Since FrozenEstimator")
def test_temperature_is_scikit_learns_with_the_rows_of_the_prior(overlapping, model, weighted):
    X, y, X_val, y_val, X_new = overlapping
    fitted = FrozenEstimator(model.fit(X, y))
    weights = np.random.default_rng(0).random(len(y_val)) if weighted else None
    ours = CalibratedClassifier(fitted).fit(X_val, y_val, weights).predict_proba(X_new)
    told = beside_prior(fitted, X_val, y_val, weights)
    theirs = CalibratedClassifierCV(fitted, method="temperature").fit(*told).predict_proba(X_new)
    np.testing.assert_allclose(ours, theirs, atol=2e-6)


def test_temperature_of_two_classes_is_scikit_learns():
    X, y = make_classification(600, flip_y=0.3, random_state=0)
    fitted = FrozenEstimator(GaussianNB().fit(X[:200], y[:200]))
    ours = CalibratedClassifier(fitted).fit(X[200:], y[200:])
    told = beside_prior(fitted, X[200:], y[200:])
    theirs = CalibratedClassifierCV(fitted, method="temperature").fit(*told)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=2e-6)


def test_isotonic_is_scikit_learns_with_the_rows_of_the_prior_but_for_its_floor(overlapping):
    X, y, X_val, y_val, X_new = overlapping
    fitted = FrozenEstimator(GaussianNB().fit(X, y))
    ours = CalibratedClassifier(fitted, "isotonic").fit(X_val, y_val).predict_proba(X_new)
    told = beside_prior(fitted, X_val, y_val, rows=4 * CLASS_ROWS)
    theirs = CalibratedClassifierCV(fitted, method="isotonic").fit(*told).predict_proba(X_new)
    np.testing.assert_allclose(ours, theirs, atol=4 / len(y_val))
    assert (ours > 0).all()


def test_isotonic_keeps_the_points_where_it_bends_alone():
    rng = np.random.default_rng(0)
    proba = rng.dirichlet([0.2] * 7, 3000)
    fitted = IsotonicCalibration.fit(proba, (proba.cumsum(axis=1) > rng.random((3000, 1))).argmax(axis=1))
    for x, y in fitted.knots:
        assert (x[0], x[-1]) == (0, 1)
        rest = [np.interp(x[i], x[:i] + x[i + 1 :], y[:i] + y[i + 1 :]) for i in range(1, len(x) - 1)]
        assert (np.abs(np.subtract(rest, y[1:-1])) > 1e-9).all()


def test_joint_isotonic_is_one_regression_of_all_classes_with_the_rows_of_the_prior_but_for_its_tilt():
    proba, labels = drawn(5, n=800, temperature=1.7)
    said, told = proba.ravel(), np.eye(4)[labels].ravel()
    prior = PRIOR_ROWS / len(labels)
    x = np.concatenate([said, said, said, [0, 1]])
    y = np.concatenate([told, np.zeros(said.size), np.ones(said.size), [0, 1]])
    weights = np.concatenate([np.ones(said.size), prior * (1 - said), prior * said, [1, 1]])
    naive = IsotonicRegression().fit(x, y, weights)
    raised = naive.predict(said).reshape(proba.shape) + 1e-3 * proba
    ours = fit_calibration("joint_isotonic", proba, labels)(proba)
    np.testing.assert_allclose(ours, raised / raised.sum(axis=1, keepdims=True), atol=4 / len(labels))


@pytest.mark.parametrize("method", ["temperature", "joint_isotonic"])
@given(st.integers(0, 10**6), st.integers(2, 8), st.floats(0.2, 5.0))
@settings(max_examples=40, deadline=None)
def test_the_order_of_the_classes_stays(method, seed, classes, temperature):
    proba, labels = drawn(seed, n=300, c=classes, temperature=temperature)
    calibrated = fit_calibration(method, proba, labels)(proba)
    order = proba.argsort(axis=1)
    before, after = (np.take_along_axis(each, order, axis=1) for each in (proba, calibrated))
    assert (np.diff(after, axis=1)[np.diff(before, axis=1) > 1e-6] > 0).all()


def test_joint_isotonic_finds_what_no_temperature_can():
    """Three labels in ten are drawn at random, so that the surest answers are the most inflated."""
    proba, labels = drawn(8, n=20_000, c=5)
    rng = np.random.default_rng(0)
    labels = np.where(rng.random(20_000) < 0.3, rng.integers(0, 5, 20_000), labels)
    new, new_labels = proba[10_000:], labels[10_000:]
    losses = {
        method: helpers.log_loss(fit_calibration(method, proba[:10_000], labels[:10_000])(new), new_labels)
        for method in METHODS
    }
    assert losses["joint_isotonic"] < losses["temperature"] - 0.01
    assert losses["joint_isotonic"] < losses["isotonic"]
    truth = 0.7 * new + 0.06
    assert losses["joint_isotonic"] < helpers.log_loss(truth, new_labels) + 0.01


def test_scikit_learn_calibrates_our_votes_and_agrees(overlapping):
    X, y, X_val, y_val, X_new = overlapping
    votes = FrozenEstimator(KNNClassifier(15).fit(X, y))
    ours = CalibratedClassifier(votes).fit(X_val, y_val).predict_proba(X_new)
    told = beside_prior(votes, X_val, y_val)
    theirs = CalibratedClassifierCV(votes, method="temperature").fit(*told).predict_proba(X_new)
    np.testing.assert_allclose(ours, theirs, atol=2e-6)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 3.0])
def test_the_temperature_put_in_is_found(temperature):
    proba, labels = drawn(0, n=20_000, temperature=temperature)
    assert fit_calibration("temperature", proba, labels).temperature == pytest.approx(temperature, rel=0.05)


def test_vector_scaling_finds_the_map_put_in():
    rng = np.random.default_rng(1)
    proba, _ = drawn(1, n=40_000, c=3)
    coefficients = np.column_stack([np.eye(3) + rng.normal(0, 0.2, (3, 3)), [0.8, -0.5, -0.3]])
    diagonal = coefficients * np.eye(3, 4)
    diagonal[:, -1] = coefficients[:, -1]
    target = np.exp(apply_softmax_map(diagonal, np.log(proba)))
    labels = (target.cumsum(axis=1) > rng.random((len(target), 1))).argmax(axis=1)
    vector = fit_calibration("vector", proba, labels)
    assert np.abs(vector(proba) - target).mean() < 0.01
    off_diagonal = ~np.eye(3, 4, dtype=bool)
    off_diagonal[:, -1] = False
    assert (vector.coefficients[off_diagonal] == 0).all()


def test_the_convex_fit_is_logistic_regression():
    X, y = make_blobs(300, centers=3, cluster_std=5.0, random_state=0)
    theirs = LogisticRegression(C=2.0, tol=1e-10, max_iter=5000).fit(X, y)
    penalty = np.full((3, 3), 1 / (2 * 2.0 * len(y)))
    penalty[:, -1] = 0.0
    ours = fit_softmax_map(X, np.eye(3)[y], np.zeros((3, 3)), penalty)
    np.testing.assert_allclose(np.exp(apply_softmax_map(ours, X)), theirs.predict_proba(X), atol=1e-4)


@st.composite
def votes(draw):
    """Votes of k neighbours, with exact zeros, and any labels at all."""
    n, c, k = draw(st.integers(1, 40)), draw(st.integers(2, 5)), draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    labels = rng.integers(0, c, n)
    if draw(st.booleans()):
        proba = rng.multinomial(k, rng.dirichlet(np.ones(c)), n) / k
    else:
        proba = np.eye(c)[labels if draw(st.booleans()) else (labels + 1) % c]
    return proba, labels, rng.random(n) + 0.01 if draw(st.booleans()) else None


@pytest.mark.parametrize("method", ["temperature", "vector"])
@settings(max_examples=40)
@given(data=votes())
def test_no_calibration_by_likelihood_raises_the_loss_of_its_own_data(method, data):
    proba, labels, weights = data
    calibrated = fit_calibration(method, proba, labels, weights)(proba)
    before = helpers.log_loss(proba, labels, weights)
    assert helpers.log_loss(calibrated, labels, weights) <= before * (1 + TIE) + 1e-9


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=25)
@given(data=votes())
def test_calibrations_give_distributions_and_survive_json(method, data):
    proba, labels, weights = data
    calibration = fit_calibration(method, proba, labels, weights)
    result = calibration(proba)
    assert np.isfinite(result).all()
    assert (result >= 0).all()
    np.testing.assert_allclose(result.sum(axis=1), 1.0, atol=1e-9)
    again = calibration_from_dict(json.loads(json.dumps(calibration.to_dict())))
    np.testing.assert_array_equal(again(proba), result)


def test_zeros_in_votes_are_smoothed_and_certainty_elsewhere_is_not():
    votes = np.eye(3)[[0, 0, 0, 1, 1, 2] * 10]
    labels = np.array([0, 0, 1, 1, 1, 2] * 10)
    assert fit_calibration("temperature", votes, labels).smoothing == 0.05
    proba, labels = drawn(0)
    assert fit_calibration("temperature", proba, labels).smoothing == 0.0


def test_temperature_keeps_the_most_probable_class():
    proba, labels = drawn(5, temperature=2.5)
    calibrated = fit_calibration("temperature", proba, labels)(proba)
    np.testing.assert_array_equal(calibrated.argmax(axis=1), proba.argmax(axis=1))


@pytest.mark.parametrize("method", METHODS)
def test_calibration_helps_on_new_rows_of_an_overconfident_model(method):
    proba, labels = drawn(2, n=6000, temperature=3.0)
    calibration = fit_calibration(method, proba[:3000], labels[:3000])
    assert log_loss(labels[3000:], calibration(proba[3000:])) < 0.8 * log_loss(labels[3000:], proba[3000:])


def test_a_class_absent_from_the_calibration_data_stays():
    X, y = make_blobs(200, centers=3, cluster_std=3.0, random_state=0)
    fitted = FrozenEstimator(GaussianNB().fit(X, y))
    for method in METHODS:
        calibrated = CalibratedClassifier(fitted, method).fit(X[y < 2], y[y < 2])
        assert calibrated.predict_proba(X).shape == (200, 3)
        assert list(calibrated.classes_) == [0, 1, 2]


def test_no_method_changes_nothing():
    proba, labels = drawn(0, n=50)
    np.testing.assert_allclose(fit_calibration(None, proba, labels)(proba), proba, atol=1e-9)


def test_saved_and_loaded_beside_its_estimator(tmp_path, overlapping):
    X, y, X_val, y_val, X_new = overlapping
    names = np.array(["angry", "fear", "happy", "sad"])
    votes = KNeighborsClassifier(7).fit(X, names[y])
    for method in METHODS:
        calibrated = CalibratedClassifier(FrozenEstimator(votes), method).fit(X_val, names[y_val])
        calibrated.save(tmp_path / method)
        again = CalibratedClassifier.load(tmp_path / method, votes)
        np.testing.assert_array_equal(again.predict_proba(X_new), calibrated.predict_proba(X_new))
        assert again.predict(X_new[:1])[0] in names
    other = KNeighborsClassifier(7).fit(X, y)
    with pytest.raises(ValueError, match="calibrated for the classes"):
        CalibratedClassifier.load(tmp_path / "vector", other)


def test_mistakes_are_told():
    proba = np.array([[0.5, 0.5], [0.2, 0.8]])
    with pytest.raises(ValueError, match="Unknown calibration 'platt'"):
        fit_calibration("platt", proba, [0, 1])
    with pytest.raises(ValueError, match=r"Row 1 of the probabilities sums to 1\.1"):
        fit_calibration("temperature", [[0.5, 0.5], [0.3, 0.8]], [0, 1])
    with pytest.raises(ValueError, match="0 to 1"):
        fit_calibration("temperature", proba, [0, 2])
    with pytest.raises(ValueError, match="as many true classes"):
        fit_calibration("temperature", proba, [0])
    with pytest.raises(ValueError, match="not a saved calibration"):
        calibration_from_dict({"method": "temperature", "warmth": 2})
    with pytest.raises(StorageError, match="not a saved calibration"):
        calibration_from_dict({})
    with pytest.raises(StorageError, match="Dirichlet calibration is gone: fit anew with one of temperature, vector"):
        calibration_from_dict({"method": "dirichlet", "coefficients": [[1.0, 0.0]], "smoothing": 0.0})
    model = FrozenEstimator(GaussianNB().fit([[0.0], [1.0], [2.0], [3.0]], ["sad", "sad", "happy", "happy"]))
    with pytest.raises(ValueError, match="class fear, which no member knows; they know happy, sad"):
        CalibratedClassifier(model).fit([[0.0], [1.0]], ["fear", "sad"])
    with pytest.raises(ValueError, match="The class b has 1 sample"):
        CalibratedClassifier(GaussianNB()).fit([[0.0], [1.0], [2.0]], ["a", "a", "b"])


def test_calibrations_are_values():
    assert TemperatureScaling(2.0) == TemperatureScaling(2.0)
    assert IsotonicCalibration((((0.0, 1.0), (0.1, 0.9)),) * 2)([[0.5, 0.5]]).tolist() == [[0.5, 0.5]]


def test_where_no_temperature_is_better_it_stays_at_one():
    assert fit_calibration("temperature", np.full((6, 3), 1 / 3), [0, 1, 2, 0, 0, 1]).temperature == 1.0


@pytest.mark.parametrize("method", METHODS)
def test_a_weight_of_two_is_two_rows(method):
    proba, labels = drawn(3, n=200)
    twice = np.arange(200) % 3 == 0
    weighted = fit_calibration(method, proba, labels, 1.0 + twice)
    repeated = fit_calibration(method, np.vstack([proba, proba[twice]]), np.append(labels, labels[twice]))
    np.testing.assert_allclose(weighted(proba), repeated(proba), atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("faces", [1, 5, 10, 20, 40])
def test_a_few_rightly_named_faces_do_little_harm_and_are_warned_of(method, faces):
    """Faces that happen all to be named rightly: without a prior the likeliest map is certain of everything."""
    proba, labels = drawn(4, n=5000)
    right = np.flatnonzero(proba.argmax(axis=1) == labels)[:faces]
    with pytest.warns(UserWarning, match=rf"Calibration by {method} was given {faces} held-out rows, fewer than 100"):
        calibration = fit_calibration(method, proba[right], labels[right])
    assert helpers.log_loss(calibration(proba), labels) < 1.25 * helpers.log_loss(proba, labels)


@pytest.mark.parametrize("temperature", [0.7, 1.5, 3.0])
def test_thousands_of_faces_find_the_temperature_that_they_find_without_a_prior(temperature, monkeypatch):
    proba, labels = drawn(6, n=3500, c=7, temperature=temperature)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = fit_calibration("temperature", proba, labels).temperature
    monkeypatch.setattr("ferembed.estimators.likelihood.targets.__defaults__", (None, 1e-9))
    assert found == pytest.approx(fit_calibration("temperature", proba, labels).temperature, rel=0.01)


def test_only_ratios_of_fractional_weights_matter_and_whole_ones_are_copies():
    proba, labels = drawn(7, n=400, temperature=2.0)
    weights = np.random.default_rng(0).random(400)
    for method in METHODS:
        as_given, scaled = (fit_calibration(method, proba, labels, scale * weights)(proba) for scale in (1.0, 1e-3))
        np.testing.assert_allclose(as_given, scaled, atol=1e-4)
    assert evidence(4, np.full(4, 0.25)) == 4 < LITTLE
    assert evidence(2, np.array([1.0, 1e-9])) == pytest.approx(1.0)
    assert evidence(2, np.array([3.0, 2.0])) == 5
