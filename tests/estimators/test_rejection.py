"""Rejection: the guarantees hold where they are simulated, and thresholds are what brute force finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.datasets import make_blobs
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from ferembed.estimators import KNNClassifier, OpenSet, RejectOption, conformal_threshold, selective_threshold
from ferembed.storage import StorageError


def world(rng, n):
    """Confidences, uniform in 0 to 1, and errors that come with probability (1 - confidence) / 2."""
    confidence = rng.random(n)
    return confidence, rng.random(n) < (1 - confidence) / 2


def joint_risk(threshold):
    """P(confidence > threshold and wrong), in closed form."""
    t = np.clip(threshold, 0, 1)
    return (1 - t) ** 2 / 4


def selective_risk(threshold):
    """P(wrong | confidence > threshold), in closed form."""
    return (1 - np.clip(threshold, 0, 1)) / 4


@pytest.mark.parametrize(("n", "max_error"), [(30, 0.1), (100, 0.05), (400, 0.1)])
def test_the_joint_guarantee_holds_on_average_and_wastes_little(n, max_error):
    rng = np.random.default_rng(0)
    risks = [joint_risk(conformal_threshold(*world(rng, n), max_error)) for _ in range(4000)]
    error = np.std(risks) / np.sqrt(len(risks))
    assert np.mean(risks) <= max_error + 3 * error
    assert np.mean(risks) >= max_error - 1 / (n + 1) - 3 * error


@pytest.mark.parametrize(("n", "max_error", "delta"), [(300, 0.24, 0.2), (500, 0.15, 0.05), (2000, 0.1, 0.05)])
def test_the_selective_guarantee_holds_with_its_probability(n, max_error, delta):
    rng = np.random.default_rng(1)
    thresholds = np.array([selective_threshold(*world(rng, n), max_error, delta) for _ in range(400)])
    broken = (selective_risk(thresholds) > max_error) & np.isfinite(thresholds)
    assert broken.mean() <= delta
    assert np.isfinite(thresholds).mean() > 0.5


def test_the_joint_guarantee_does_not_bound_the_error_among_the_answered():
    rng = np.random.default_rng(0)
    threshold = conformal_threshold(*world(rng, 2000), 0.1)
    assert selective_risk(threshold) > 0.12


@settings(max_examples=100)
@given(
    rows=st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=40),
    max_error=st.sampled_from([0.05, 0.1, 0.25, 0.5]),
)
def test_conformal_threshold_against_brute_force(rows, max_error):
    confidence, wrong = np.array([c for c, _ in rows], float), np.array([w for _, w in rows])
    allowed = [
        t
        for t in [-np.inf, *np.unique(confidence), np.inf]
        if (((confidence > t) & wrong).sum() + 1) / (len(rows) + 1) <= max_error + 1e-12
    ]
    expected = min(allowed, default=np.inf)
    ours = conformal_threshold(confidence, wrong, max_error)
    # Between two thresholds that answer the same rows there is nothing to choose.
    np.testing.assert_array_equal(confidence > ours, confidence > expected)


@pytest.mark.parametrize("seed", range(5))
def test_selective_threshold_against_exact_binomial_intervals(seed):
    confidence, wrong = world(np.random.default_rng(seed), 400)
    falling = np.sort(confidence)[::-1]
    passing = []
    for percent in range(5, 101, 5):
        answered = 400 * percent // 100
        threshold = falling[answered] if answered < 400 else -np.inf
        errors = int(wrong[confidence > threshold].sum())
        interval = binomtest(errors, answered, alternative="less").proportion_ci(1 - 0.1 / 20, method="exact")
        if interval.high <= 0.18:
            passing.append(threshold)
    assert selective_threshold(confidence, wrong, 0.18, 0.1) == min(passing, default=np.inf)


def test_too_few_rows_answer_nothing():
    assert conformal_threshold(np.ones(8), np.zeros(8, bool), 0.1) == np.inf
    assert conformal_threshold(np.ones(9), np.zeros(9, bool), 0.1) == -np.inf
    assert selective_threshold(np.ones(10), np.zeros(10, bool), 0.1, 0.05) == np.inf


@pytest.fixture(scope="module")
def faces():
    X, y = make_blobs(3000, centers=4, n_features=2, cluster_std=2.0, random_state=4)
    names = np.array(["angry", "fear", "happy", "sad"])[y]
    softmax = LogisticRegression().fit(X[:500], names[:500])
    return softmax, X[500:1500], names[500:1500], X[1500:], names[1500:]


@pytest.mark.parametrize("risk", ["joint", "selective"])
def test_reject_option_says_unknown_and_keeps_its_word(faces, risk):
    softmax, X_val, y_val, X_new, y_new = faces
    assert (softmax.predict(X_new) != y_new).mean() > 0.1
    careful = RejectOption(FrozenEstimator(softmax), 0.05, risk=risk).fit(X_val, y_val)
    said = careful.predict(X_new)
    answered = said != "unknown"
    np.testing.assert_array_equal(answered, careful.answers(X_new))
    np.testing.assert_array_equal(said[answered], softmax.predict(X_new)[answered])
    wrong = (answered & (said != y_new)).sum() / (len(y_new) if risk == "joint" else answered.sum())
    assert wrong <= 0.05 + 0.02
    assert careful.error_ <= 0.05
    assert careful.coverage_ == pytest.approx(answered.mean(), abs=0.05)
    assert careful.unknown_ == "unknown"


def test_a_lower_error_answers_less(faces):
    softmax, X_val, y_val, *_ = faces
    coverages = [RejectOption(FrozenEstimator(softmax), e).fit(X_val, y_val).coverage_ for e in (0.02, 0.05, 0.1, 0.5)]
    assert coverages == sorted(coverages)
    assert coverages[0] < coverages[-1] == 1.0


def test_reject_option_saved_and_loaded(tmp_path, faces):
    softmax, X_val, y_val, X_new, _ = faces
    for max_error in (0.0005, 0.05, 0.9):
        careful = RejectOption(FrozenEstimator(softmax), max_error, unknown="?").fit(X_val, y_val)
        careful.save(tmp_path / "careful")
        again = RejectOption.load(tmp_path / "careful", softmax)
        np.testing.assert_array_equal(again.predict(X_new), careful.predict(X_new))
        assert again.threshold_ == careful.threshold_
        assert again.get_params(deep=False)["max_error"] == max_error


def test_open_set_saved_and_loaded(tmp_path):
    X, y = make_blobs(600, centers=3, n_features=8, random_state=0)
    knn = KNNClassifier(5).fit(X[:300], y[:300])
    asked = np.concatenate([X[300:], np.random.default_rng(0).normal(size=(100, 8))])
    for part in (0.001, 0.05, 0.5):  # the first is too small for 300 rows: nothing is unknown
        guard = OpenSet(FrozenEstimator(knn), part, unknown=99).fit(X[300:], y[300:])
        guard.save(tmp_path / "guard")
        knn.save(tmp_path / "knn")
        again = OpenSet.load(tmp_path / "guard", KNNClassifier.load(tmp_path / "knn"))
        np.testing.assert_array_equal(again.predict(asked), guard.predict(asked))
        assert again.threshold_ == guard.threshold_
        assert again.get_params(deep=False)["max_false_unknown"] == part
        assert (guard.predict(asked) == 99).any() == (part > 0.001)


@pytest.mark.parametrize("kind", [OpenSet, RejectOption])
def test_a_foreign_or_damaged_folder_is_refused(tmp_path, kind):
    X, y = make_blobs(60, centers=3, random_state=0)
    knn = KNNClassifier(5).fit(X, y)
    kind(FrozenEstimator(knn)).fit(X, y).save(tmp_path / "saved")
    with pytest.raises(StorageError, match="holds a saved"):
        ({OpenSet, RejectOption} - {kind}).pop().load(tmp_path / "saved", knn)
    with pytest.raises(ValueError, match="the estimator has others"):
        kind.load(tmp_path / "saved", KNNClassifier(5).fit(X, y + 1))
    file = tmp_path / "saved" / "config.json"
    (tmp_path / "saved" / "manifest.json").unlink()  # older versions wrote none
    file.write_text(file.read_text().replace("threshold", "treshold").replace('"found"', '"lost"'))
    with pytest.raises(StorageError, match="does not describe"):
        kind.load(tmp_path / "saved", knn)
    file.write_text(file.read_text()[:-30])
    with pytest.raises(StorageError, match="holds no readable"):
        kind.load(tmp_path / "saved", knn)


def test_reject_option_keeps_its_word_over_many_drawings():
    """Monte Carlo: a fixed classifier, validation and new faces drawn afresh each time."""
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(4, 3))

    def drawn(n):
        labels = rng.integers(0, 4, n)
        return centres[labels] + 1.4 * rng.normal(size=(n, 3)), labels

    softmax = FrozenEstimator(LogisticRegression().fit(*drawn(300)))
    X_new, y_new = drawn(20_000)
    assert softmax.score(X_new, y_new) < 0.75
    joint, broken, answers = [], [], []
    for _ in range(300):
        careful = RejectOption(softmax, 0.1).fit(*drawn(150))
        said = careful.predict(X_new)
        joint.append(((said != -1) & (said != y_new)).mean())
        careful = RejectOption(softmax, 0.2, risk="selective", delta=0.1).fit(*drawn(400))
        said = careful.predict(X_new)
        answered = said != -1
        answers.append(answered.mean())
        broken.append(bool(answered.any()) and (said != y_new)[answered].mean() > 0.2)
    assert np.mean(joint) <= 0.1 + 3 * np.std(joint) / np.sqrt(len(joint))
    assert np.mean(joint) >= 0.1 - 1 / 151 - 3 * np.std(joint) / np.sqrt(len(joint))
    assert np.mean(broken) <= 0.1
    assert np.mean(answers) > 0.2


def test_numbers_get_a_free_number_for_unknown():
    X, y = make_blobs(300, centers=3, cluster_std=6.0, random_state=0)
    for shift, free in ((0, -1), (-1, -2), (5, -1)):
        careful = RejectOption(LogisticRegression(), 0.01).fit(X, y + shift)
        assert careful.unknown_ == free
        assert set(careful.predict(X)) <= {free, *(y + shift)}


def test_mistakes_are_told(faces):
    softmax, X_val, y_val, *_ = faces
    frozen = FrozenEstimator(softmax)
    for options, sentence in [
        ({"max_error": 0}, "max_error must be above 0"),
        ({"risk": "total"}, "Unknown risk 'total'"),
        ({"risk": "selective", "delta": 1.5}, "delta must be above 0"),
        ({"unknown": "sad"}, "is the name of a class"),
        ({"unknown": -1}, "unknown=-1 must be text, as the classes"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            RejectOption(frozen, **options).fit(X_val, y_val)
    with pytest.raises(ValueError, match="max_false_unknown must be above 0"):
        OpenSet(frozen, 0.0).fit(X_val, y_val)
    numbers = LogisticRegression().fit(X_val, np.arange(len(y_val)) % 2)
    with pytest.raises(ValueError, match="unknown='unknown' must be a number, as the classes 0, 1 are"):
        RejectOption(FrozenEstimator(numbers), unknown="unknown").fit(X_val, np.arange(len(y_val)) % 2)


class FamiliarNeighbours(KNeighborsClassifier):
    """Neighbours with minus the mean distance as score."""

    def score_samples(self, X):
        return -self.kneighbors(X)[0].mean(axis=1)


def test_open_set_tells_strangers_and_spares_the_known():
    X, y = make_blobs(1500, centers=3, n_features=8, random_state=0)
    rng = np.random.default_rng(0)
    strangers = rng.uniform(-30, 30, (300, 8))
    knn = FamiliarNeighbours(5).fit(X[:500], y[:500])
    guard = OpenSet(FrozenEstimator(knn), 0.05).fit(X[500:1000], y[500:1000])
    assert (guard.predict(X[1000:]) == -1).mean() <= 0.05 + 0.03
    assert (guard.predict(strangers) == -1).mean() > 0.95
    distances = NearestNeighbors(n_neighbors=5).fit(X[:500]).kneighbors(strangers)[0].mean(axis=1)
    np.testing.assert_allclose(guard.score_samples(strangers), -distances)


def test_open_set_keeps_its_promise_on_average():
    rng = np.random.default_rng(0)

    class Normal(KNeighborsClassifier):
        def score_samples(self, X):
            return np.asarray(X)[:, 0]

    model = FrozenEstimator(Normal(1).fit([[0.0], [1.0]], [0, 1]))
    missed = []
    for _ in range(600):
        scores = rng.random((59, 1))
        missed.append(OpenSet(model, 0.1).fit(scores, rng.integers(0, 2, 59)).threshold_)
    # A uniform score falls below a threshold with a probability that is the threshold.
    assert np.mean(missed) == pytest.approx(0.1, abs=0.01)
    assert OpenSet(model, 0.1).fit(rng.random((8, 1)), [0, 1] * 4).threshold_ == -np.inf
