"""What is chosen where candidates differ by rounding alone: the first in the stated order, whatever the last digits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.frozen import FrozenEstimator

from ferembed.estimators import (
    CalibratedClassifier,
    FunctionMember,
    KNNClassifier,
    OpenSet,
    RejectOption,
    SoftmaxHead,
    StackingEnsemble,
    VotingEnsemble,
    fit_calibration,
    fit_pool_weights,
)
from ferembed.estimators.knn.selection import most_likely
from ferembed.evaluation import evaluate_probabilities
from ferembed.probability import TIE, first_of_the_best, most_probable
from ferembed.recognizer.voters import NEIGHBOURS, TEMPERATURES, HeldOut, best_knn, likeliest_method

pytestmark = pytest.mark.filterwarnings("ignore:.* held-out rows, fewer than 100", "ignore:.* of which y holds no row")
seeds = pytest.mark.parametrize("seed", range(5))


def jittered(values, seed, size=1e-7):
    """The values with a relative error like that of sums in another order."""
    return np.asarray(values) * (1 + size * np.random.default_rng(seed).uniform(-1, 1, np.shape(values)))


def level(seed, rows=40):
    """Distributions in which the second and third class are equally probable, but for rounding."""
    proba = jittered(np.tile([0.2, 0.4, 0.4], (rows, 1)), seed)
    return proba / proba.sum(axis=1, keepdims=True)


def member(proba):
    return FunctionMember(lambda X: proba[np.asarray(X).ravel().astype(int)], range(proba.shape[1]))


@given(st.lists(st.floats(0, 100), min_size=1, max_size=8), st.integers(0, 99))
def test_rounding_does_not_change_what_is_chosen_unless_it_is_at_the_edge(losses, seed):
    exact = np.array(losses)
    gaps = np.abs(exact - exact.min()) / max(exact.min(), TIE)
    if not ((gaps > 0.9 * TIE) & (gaps < 1.1 * TIE)).any():
        assert first_of_the_best(jittered(exact, seed)) == first_of_the_best(exact)


def test_a_difference_that_counts_decides():
    assert first_of_the_best([1.0, 1.0 - 2 * TIE]) == 1
    assert first_of_the_best([1.0, 1.0 - TIE / 2]) == 0
    assert first_of_the_best([-1.0, -1.0 - 2 * TIE]) == 1
    assert most_probable(np.array([[0.5 - 1e-4, 0.5 + 1e-4]])).tolist() == [1]


@seeds
def test_every_classifier_names_the_first_of_equally_probable_classes(seed):
    proba, rows, labels = level(seed), np.arange(40.0)[:, None], np.arange(40) % 3
    frozen = FrozenEstimator(member(proba))
    assert set(member(proba).predict(rows)) == {1}
    classifiers = [
        CalibratedClassifier(frozen),
        VotingEnsemble([("a", frozen), ("b", FrozenEstimator(member(level(seed + 100))))], calibration=None),
        StackingEnsemble([("a", frozen)], calibration=None, C=1e-9),
        RejectOption(frozen, max_error=0.99),
    ]
    for classifier in classifiers:
        assert set(classifier.fit(rows, labels).predict(rows)) == {1}, classifier
    assert evaluate_probabilities(np.ones(40, int), proba, range(3), resamples=10).accuracy == 1


@seeds
def test_neighbours_that_are_equally_near_are_named_by_the_order_of_classes(seed):
    queries = np.random.default_rng(seed).normal(size=(64, 12)).astype(np.float32)
    away = np.linalg.svd(queries.T)[0][:, -1].astype(np.float32)
    gallery = np.concatenate([queries, queries * np.float32(3.1), away[None]])
    labels = ["sad"] * 64 + ["happy"] * 64 + ["other"]
    knn = KNNClassifier(k=2, weights="softmax", temperature=0.05).fit(gallery, labels)
    assert set(knn.predict(queries)) == {"happy"}
    guarded = OpenSet(FrozenEstimator(knn)).fit(queries, ["sad", "happy"] * 32)
    assert "happy" in guarded.predict(queries)
    assert "sad" not in guarded.predict(queries)
    head = SoftmaxHead().fit([[1.0], [-1.0]], ["sad", "happy"])
    assert head.predict([[1e-9], [-1e-9]]).tolist() == ["happy", "happy"]


@seeds
def test_a_temperature_that_gains_nothing_is_one(seed):
    unsure = jittered(np.full((30, 3), 1 / 3), seed, 1e-9)
    unsure /= unsure.sum(axis=1, keepdims=True)
    assert fit_calibration("temperature", unsure, np.arange(30) % 3).temperature == 1
    fair = np.tile([0.75, 0.25], (40, 1))
    assert fit_calibration("temperature", fair, [0, 0, 0, 1] * 10).temperature == 1


@seeds
@pytest.mark.parametrize("method", ["temperature", "vector"])
def test_votes_with_zeros_are_smoothed_where_smoothing_costs_nothing(method, seed):
    """Votes that have nothing to do with the labels: the best map ignores them, smoothed or not."""
    order = np.random.default_rng(seed).permutation(90)
    votes, labels = np.eye(3)[np.arange(90) % 3], np.arange(90) // 3 % 3
    weights = jittered(np.ones(90), seed, 1e-12)
    assert fit_calibration(method, votes[order], labels[order], weights).smoothing == 0.05


@seeds
def test_a_map_that_gains_nothing_changes_nothing(seed):
    proba = np.repeat([[0.75, 0.25], [0.25, 0.75]], 40, axis=0)
    labels = np.array([0, 0, 0, 1] * 10 + [1, 1, 1, 0] * 10)
    order = np.random.default_rng(seed).permutation(80)
    calibration = fit_calibration("vector", proba[order], labels[order])
    np.testing.assert_array_equal(calibration.coefficients, np.eye(2, 3))


@seeds
@pytest.mark.parametrize("pool", ["arithmetic", "log"])
def test_members_that_say_the_same_weigh_the_same(pool, seed):
    proba = np.random.default_rng(0).dirichlet(np.ones(3), 50)
    stack = np.stack([jittered(proba, seed), jittered(proba, seed + 100), jittered(proba, seed + 200)])
    stack /= stack.sum(axis=2, keepdims=True)
    np.testing.assert_array_equal(fit_pool_weights(stack, np.arange(50) % 3, pool), np.full(3, 1 / 3))


@seeds
def test_k_and_temperature_are_the_first_where_all_are_as_likely(seed):
    proba, targets = np.full((20, 2), 0.5), np.eye(2)[np.arange(20) % 2]
    draws = iter(range(100 * seed, 100 * seed + 100))
    k, temperature = most_likely(lambda *_: jittered(proba, next(draws)), targets, [3, 5, 9], [0.2, 0.1])
    assert (k, temperature) == (3, 0.2)


def test_the_fewest_neighbours_and_the_plainest_calibration_where_all_are_as_good():
    gallery = np.repeat(np.eye(3, 8, dtype=np.float32), 210, axis=0)
    codes = np.repeat(np.arange(3), 210)
    knn = best_knn(gallery, codes, HeldOut(gallery[::7], codes[::7]))
    assert (knn.k, knn.temperature) == (NEIGHBOURS[0], TEMPERATURES[0])
    known = np.repeat([[0.75, 0.25], [0.25, 0.75]], 200, axis=0)
    assert likeliest_method(known, np.array([0, 0, 0, 1] * 50 + [1, 1, 1, 0] * 50)) == "temperature"
