"""Ensembles: never worse than their best member, the right weights, members of every kind."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import make_blobs
from sklearn.frozen import FrozenEstimator
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from ferembed.estimators import (
    CalibratedClassifier,
    FunctionMember,
    StackingEnsemble,
    VotingEnsemble,
    fit_pool_weights,
    pool_probabilities,
)
from ferembed.estimators.likelihood import cross_entropy, targets
from ferembed.probability import TIE, log_loss
from ferembed.storage import StorageError

pytestmark = pytest.mark.filterwarnings("ignore:.* held-out rows, fewer than 100", "ignore:.* of which y holds no row")
KINDS = ["perfect", "wrong", "uniform", "constant", "votes", "soft"]
ENSEMBLES = [
    pytest.param(VotingEnsemble, {"pool": "arithmetic"}, id="arithmetic"),
    pytest.param(VotingEnsemble, {"pool": "log"}, id="log"),
    pytest.param(StackingEnsemble, {}, id="stacking"),
]


def member_probabilities(kind, labels, c, rng):
    n = len(labels)
    if kind == "perfect":
        return np.eye(c)[labels]
    if kind == "wrong":
        return np.eye(c)[(labels + 1) % c]
    if kind == "uniform":
        return np.full((n, c), 1 / c)
    if kind == "constant":
        return np.tile(rng.dirichlet(np.ones(c)), (n, 1))
    if kind == "votes":
        return rng.multinomial(3, rng.dirichlet(np.ones(c)), n) / 3
    mixed = 0.5 * np.eye(c)[labels] + rng.dirichlet(np.ones(c), n)
    return mixed / mixed.sum(axis=1, keepdims=True)


@st.composite
def panels(draw):
    n, c = draw(st.integers(1, 40)), draw(st.integers(2, 4))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    labels = rng.integers(0, c, n)
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=4))
    stack = np.stack([member_probabilities(kind, labels, c, rng) for kind in kinds])
    return stack, labels, rng.random(n) + 0.01 if draw(st.booleans()) else None


def members_of(stack):
    """Members that look their probabilities up: X holds row numbers."""
    table = {f"m{i}": proba for i, proba in enumerate(stack)}
    return [
        (name, FunctionMember(lambda X, proba=proba: proba[np.asarray(X)[:, 0]], range(stack.shape[2])))
        for name, proba in table.items()
    ]


@pytest.mark.parametrize(("kind", "options"), ENSEMBLES)
@pytest.mark.parametrize("calibration", [None, "temperature"])
@settings(max_examples=40)
@given(panel=panels())
def test_never_worse_than_equal_weights_nor_than_its_best_member_with_the_prior(kind, options, calibration, panel):
    stack, labels, weights = panel
    rows = np.arange(len(labels))[:, None]
    ensemble = kind(members_of(stack), calibration=calibration, **options).fit(rows, labels, weights)
    members, joined = ensemble.member_probabilities(rows), ensemble.predict_proba(rows)
    equal = pool_probabilities(members, np.full(len(stack), 1 / len(stack)), options.get("pool", "log"))
    loss = log_loss(joined, labels, weights)
    assert loss <= log_loss(equal, labels, weights) * (1 + 2 * TIE) + 1e-8
    if kind is VotingEnsemble:
        wanted = targets(equal, labels, weights)
        best = min(cross_entropy(proba, wanted, weights) for proba in members)
        assert cross_entropy(joined, wanted, weights) <= best * (1 + 2 * TIE) + 1e-8


@pytest.mark.parametrize("pool", ["arithmetic", "log"])
@settings(max_examples=40)
@given(panel=panels())
def test_weights_lie_on_the_simplex(pool, panel):
    stack, labels, weights = panel
    fitted = fit_pool_weights(stack, labels, pool, weights)
    assert fitted.shape == (len(stack),)
    assert ((fitted >= 0) & (fitted <= 1)).all()
    assert fitted.sum() == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("pool", ["arithmetic", "log"])
@pytest.mark.parametrize("seed", range(5))
def test_weights_are_the_best_on_a_grid(pool, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, 200)
    stack = np.stack([member_probabilities("soft", labels, 3, rng) for _ in range(3)])
    stack[0] = stack[0][rng.permutation(200)]
    fitted = fit_pool_weights(stack, labels, pool)
    grid = [(a, b, 1 - a - b) for a in np.linspace(0, 1, 41) for b in np.linspace(0, 1 - a, 41)]
    wanted = targets(pool_probabilities(stack, np.full(3, 1 / 3), pool), labels)
    best = min(cross_entropy(pool_probabilities(stack, np.array(w), pool), wanted) for w in grid)
    assert cross_entropy(pool_probabilities(stack, fitted, pool), wanted) <= best + 1e-7


def test_weights_meet_the_optimality_condition_of_mixtures():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 7, 3000)
    stack = np.stack([member_probabilities("soft", labels, 7, rng) for _ in range(4)])
    fitted = fit_pool_weights(stack, labels, "arithmetic")
    wanted = targets(stack.mean(axis=0), labels)
    gains = (wanted * stack / np.tensordot(fitted, stack, axes=1)).sum(axis=2).mean(axis=1)
    # No member, mixed in, would gain: by Jensen the loss is within log(max gain) of the least possible.
    assert np.log(gains.max()) < 1e-5


@pytest.mark.parametrize("pool", ["arithmetic", "log"])
def test_a_few_rows_hardly_part_the_members_and_many_do(pool):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 2000)
    good, poor = (member_probabilities("soft", labels, 3, rng) for _ in range(2))
    stack = np.stack([good, poor[rng.permutation(2000)]])
    few, many = (fit_pool_weights(stack[:, :n], labels[:n], pool) for n in (3, 2000))
    assert abs(few[0] - 0.5) < 0.2
    assert many[0] > 0.9
    with pytest.warns(UserWarning, match="Weighing 2 members was given 3 held-out rows"):
        VotingEnsemble(members_of(stack), calibration=None, pool=pool).fit(np.arange(3)[:, None], labels[:3])


def test_pools_against_loops():
    rng = np.random.default_rng(0)
    stack, weights = rng.dirichlet(np.ones(3), (2, 5)), np.array([0.3, 0.7])
    for row in range(5):
        mean = [sum(w * p[row, c] for w, p in zip(weights, stack, strict=True)) for c in range(3)]
        power = [np.prod([p[row, c] ** w for w, p in zip(weights, stack, strict=True)]) for c in range(3)]
        np.testing.assert_allclose(pool_probabilities(stack, weights, "arithmetic")[row], mean)
        np.testing.assert_allclose(pool_probabilities(stack, weights, "log")[row], np.array(power) / sum(power))


@pytest.fixture(scope="module")
def blobs():
    X, y = make_blobs(900, centers=4, n_features=3, cluster_std=4.0, random_state=1)
    return X[:300], y[:300], X[300:600], y[300:600], X[600:], y[600:]


@pytest.mark.parametrize(("kind", "options"), ENSEMBLES)
def test_frozen_members_are_not_fitted_again_and_others_are(blobs, kind, options):
    X, y, X_val, y_val, X_new, y_new = blobs
    knn = KNeighborsClassifier(9).fit(X, y)
    members = [("knn", FrozenEstimator(knn)), ("nb", GaussianNB()), ("svm", LinearSVC())]
    ensemble = kind(members, **options).fit(X_val, y_val)
    assert ensemble.named_estimators_["knn"].estimator is knn
    assert knn.n_samples_fit_ == 300
    np.testing.assert_allclose(ensemble.named_estimators_["nb"].theta_, GaussianNB().fit(X_val, y_val).theta_)
    assert not hasattr(members[1][1], "theta_")
    assert ensemble.score(X_new, y_new) > 0.55
    np.testing.assert_allclose(ensemble.predict_proba(X_new).sum(axis=1), 1.0)


def test_an_overfitted_member_gains_no_weight_from_its_own_training_rows(blobs):
    X, y = blobs[:2]
    noisy = np.where(np.random.default_rng(0).random(len(y)) < 0.4, (y + 1) % 4, y)
    vote = VotingEnsemble([("tree", DecisionTreeClassifier(random_state=0)), ("nb", GaussianNB())]).fit(X, noisy)
    assert vote.named_weights_["nb"] > 0.7


def test_members_with_other_classes_and_other_orders_are_joined_by_name():
    happy_first = FunctionMember(lambda X: np.tile([0.7, 0.3], (len(X), 1)), ["happy", "angry"])
    three = FunctionMember(lambda X: np.tile([0.2, 0.2, 0.6], (len(X), 1)), ["sad", "happy", "angry"])
    vote = VotingEnsemble([("a", happy_first), ("b", three)], calibration=None)
    vote.fit(np.zeros((4, 1)), ["happy", "happy", "sad", "angry"])
    assert vote.classes_.tolist() == ["angry", "happy", "sad"]
    members = vote.member_probabilities(np.zeros((1, 1)))
    np.testing.assert_allclose(members[:, 0], [[0.3, 0.7, 0.0], [0.6, 0.2, 0.2]], atol=1e-9)


class Framed(GaussianNB):
    """Says its probabilities in a frame, classes last to first."""

    def predict_proba(self, X):
        import pandas as pd

        return pd.DataFrame(super().predict_proba(X), columns=self.classes_).iloc[:, ::-1]


@pytest.mark.parametrize(("kind", "options"), ENSEMBLES)
def test_frames_of_answers_are_read_by_their_columns_names(blobs, kind, options):
    pd = pytest.importorskip("pandas")
    X, y, X_val, y_val, X_new, _ = blobs
    plain, framed = GaussianNB().fit(X, y), Framed().fit(X, y)
    called = FunctionMember(framed.predict_proba, framed.classes_)
    expected = kind([("nb", FrozenEstimator(plain))], **options).fit(X_val, y_val).predict_proba(X_new)
    for member in (FrozenEstimator(framed), called):
        joined = kind([("nb", member)], **options).fit(X_val, y_val).predict_proba(X_new)
        np.testing.assert_allclose(joined, expected)
    np.testing.assert_allclose(called.predict_proba(X_new), plain.predict_proba(X_new))
    unnamed = FunctionMember(lambda X: pd.DataFrame(plain.predict_proba(X)), list("abcd"))
    np.testing.assert_allclose(unnamed.predict_proba(X_new), plain.predict_proba(X_new))
    with pytest.raises(ValueError, match="one column for each class: 0 are named sad; its columns are fear, joy"):
        FunctionMember(lambda X: pd.DataFrame({"fear": [0.5], "joy": [0.5]}), ["joy", "sad"]).predict_proba(X[:1])


def test_members_that_spell_a_class_otherwise_speak_of_the_same(blobs):
    X, y = blobs[:2]
    names = np.array(["happy", "sad", "angry"])[y % 3]
    spelled = np.array(["Happiness", "sadness ", "ANGRY"])[y % 3]
    plain, other = (GaussianNB().fit(X, labels) for labels in (names, spelled))
    for members in ((plain, other), (other, other)):
        frozen = [(f"m{place}", FrozenEstimator(member)) for place, member in enumerate(members)]
        vote = VotingEnsemble(frozen).fit(X, names)
        assert vote.classes_.tolist() == ["angry", "happy", "sad"]
        said = vote.member_probabilities(X)
        np.testing.assert_allclose(said[0], said[1], atol=1e-6)
        np.testing.assert_allclose(vote.weights_, 0.5)


def test_a_class_that_no_row_shows_is_warned_of(blobs):
    X, y, X_val, y_val, *_ = blobs
    members = [
        ("nb", FrozenEstimator(GaussianNB().fit(X, y))),
        ("two", FrozenEstimator(GaussianNB().fit(X[y < 2], y[y < 2]))),
    ]
    shown = y_val < 2
    with pytest.warns(UserWarning, match="The member nb knows 2, 3, of which y holds no row"):
        VotingEnsemble(members).fit(X_val[shown], y_val[shown])
    with pytest.warns(UserWarning, match="knows 2, 3, of which y holds no row"):
        CalibratedClassifier(members[0][1]).fit(X_val[shown], y_val[shown])


def test_a_shared_order_of_classes_is_kept():
    order = ["surprise", "neutral", "angry"]
    same = [(n, FunctionMember(lambda X: np.tile([0.5, 0.3, 0.2], (len(X), 1)), order)) for n in "ab"]
    vote = VotingEnsemble(same).fit(np.zeros((3, 1)), ["angry", "neutral", "neutral"])
    assert vote.classes_.tolist() == order


@pytest.mark.parametrize(("kind", "options"), ENSEMBLES)
def test_saved_and_loaded_beside_its_members(tmp_path, blobs, kind, options):
    X, y, X_val, y_val, X_new, _ = blobs
    members = {"knn": KNeighborsClassifier(5).fit(X, y), "nb": GaussianNB().fit(X, y)}
    frozen = [(name, FrozenEstimator(member)) for name, member in members.items()]
    ensemble = kind(frozen, calibration="vector", **options).fit(X_val, y_val)
    ensemble.save(tmp_path / "vote")
    again = kind.load(tmp_path / "vote", members)
    np.testing.assert_array_equal(again.predict_proba(X_new), ensemble.predict_proba(X_new))
    assert again.get_params()["calibration"] == "vector"
    with pytest.raises(ValueError, match="joins the members knn, nb; got nb"):
        kind.load(tmp_path / "vote", {"nb": members["nb"]})
    (tmp_path / "vote" / "config.json").write_text("{")
    with pytest.raises(StorageError):
        kind.load(tmp_path / "vote", members)


def test_stacking_goes_to_the_log_pool_as_c_falls(blobs):
    X, y, X_val, y_val, X_new, _ = blobs
    members = [
        ("knn", FrozenEstimator(KNeighborsClassifier(5).fit(X, y))),
        ("nb", FrozenEstimator(GaussianNB().fit(X, y))),
    ]
    pool = VotingEnsemble(members, pool="log").fit(X_val, y_val).predict_proba(X_new)
    near, far = (StackingEnsemble(members, C=C).fit(X_val, y_val).predict_proba(X_new) for C in (1e-6, 100.0))
    np.testing.assert_allclose(near, pool, atol=1e-3)
    assert np.abs(far - pool).max() > 0.02


def test_mistakes_are_told(blobs):
    X, y = blobs[:2]
    with pytest.raises(ValueError, match="at least one pair"):
        VotingEnsemble([]).fit(X, y)
    with pytest.raises(ValueError, match="not unique"):
        VotingEnsemble([("a", GaussianNB()), ("a", GaussianNB())]).fit(X, y)
    with pytest.raises(ValueError, match="Unknown pool 'median'"):
        VotingEnsemble([("a", GaussianNB())], pool="median").fit(X, y)
    with pytest.raises(ValueError, match="C must be above 0"):
        StackingEnsemble([("a", GaussianNB())], C=0).fit(X, y)
    with pytest.raises(ValueError, match="cv must hold out every row once"):
        VotingEnsemble([("a", GaussianNB())], cv=[(np.arange(100), np.arange(100, 200))]).fit(X, y)
    with pytest.raises(ValueError, match="one weight a row"):
        VotingEnsemble([("a", GaussianNB())]).fit(X, y, sample_weight=[1.0, 2.0])
