"""KNNClassifier: votes against loops and scikit-learn, choice of k, growth, and the state on disk."""

import json
import math
import pickle
import threading
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.ensemble import AdaBoostClassifier
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, normalize

from ferembed.estimators import KNNClassifier
from ferembed.estimators.knn.selection import K_GRID, TEMPERATURE_GRID
from ferembed.index import make_index
from ferembed.storage import StorageError


def naive_probabilities(X, votes, queries, *, k, weights, temperature=0.1, balanced=False, smoothing=0.0, copies=None):
    """Class probabilities of each query, one neighbour and one class at a time."""
    rows, classes = votes.shape
    copies = np.ones(rows) if copies is None else copies
    if (copies % 1).any():
        copies = copies / copies[copies > 0].mean()
    mass = [sum(copies[row] * votes[row, c] for row in range(rows)) for c in range(classes)]
    answers = []
    for query in queries:
        near = sorted(range(rows), key=lambda row: -cosine(query, X[row]))
        totals, left = [0.0] * classes, float(k)
        for row in near:
            counted = min(left, copies[row])
            left -= counted
            for c in range(classes):
                totals[c] += counted * weight(cosine(query, X[row]), weights, temperature) * votes[row, c]
        if balanced:
            totals = [total / m if m else 0.0 for total, m in zip(totals, mass, strict=True)]
        total = sum(totals)
        share = [t / total if total else 1 / classes for t in totals]
        answers.append([(1 - smoothing) * s + smoothing / classes for s in share])
    return np.array(answers)


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def weight(similarity, weights, temperature):
    if weights == "softmax":
        return math.exp(similarity / temperature)
    if weights == "distance":
        return 1 / max(1 - similarity, 1e-6)
    return 1.0


def clouds(rows=90, dim=5, classes=3, seed=0, spread=0.7):
    """Vectors around one direction for each class, of any length, with their labels."""
    rng = np.random.default_rng(seed)
    y = np.arange(rows) % classes
    X = rng.normal(size=(classes, dim))[y] + spread * rng.normal(size=(rows, dim))
    order = rng.permutation(rows)
    return X[order] * rng.uniform(0.2, 5, size=(rows, 1)), y[order]


def knn(**parameters):
    return KNNClassifier(**{"k": 7, "index": "exact", "smoothing": 0.0, **parameters})


@settings(max_examples=30)
@given(
    weights=st.sampled_from(["softmax", "distance", "uniform"]),
    k=st.integers(1, 45),
    temperature=st.sampled_from([0.02, 0.1, 1.0]),
    balanced=st.booleans(),
    smoothing=st.sampled_from([0.0, 0.05, 0.5]),
    soft=st.booleans(),
    copied=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_votes_equal_the_loops(weights, k, temperature, balanced, smoothing, soft, copied, seed):
    rng = np.random.default_rng(seed)
    X, y = clouds(36, seed=seed)
    votes = rng.dirichlet(np.ones(3), size=36) if soft else np.eye(3)[y]
    if soft:
        votes[:4] = 0
    copies = rng.integers(0, 4, size=36) + rng.choice([0.0, 0.5], size=36) if copied else None
    options = dict(k=k, weights=weights, temperature=temperature, balanced=balanced, smoothing=smoothing)
    fitted = knn(**options).fit(X, y, votes=votes if soft else None, sample_weight=copies)
    expected = naive_probabilities(X, votes, X[:5] + 0.1, copies=copies, **options)
    assert_allclose(fitted.predict_proba(X[:5] + 0.1), expected, rtol=2e-4, atol=1e-6)


def test_only_ratios_of_fractional_weights_matter(tmp_path):
    X, y = clouds()
    even, uneven = np.full(90, 1 / 90), np.random.default_rng(0).dirichlet(np.ones(90))
    plain, weighted = knn().fit(X, y), knn(balanced=True).fit(X, y, sample_weight=uneven)
    assert_allclose(knn().fit(X, y, sample_weight=even).predict_proba(X), plain.predict_proba(X), atol=1e-6)
    scaled = knn(balanced=True).fit(X, y, sample_weight=0.37 * uneven)
    assert_allclose(scaled.predict_proba(X), weighted.predict_proba(X), rtol=1e-6)
    grown = knn(balanced=True).fit(X[:40], y[:40], sample_weight=uneven[:40])
    grown.partial_fit(X[40:], y[40:], sample_weight=uneven[40:])
    assert_allclose(grown.predict_proba(X), weighted.predict_proba(X), rtol=1e-6)
    weighted.save(tmp_path / "knn")
    loaded = KNNClassifier.load(tmp_path / "knn").partial_fit(X, y, sample_weight=uneven)
    twice = weighted.partial_fit(X, y, sample_weight=uneven)
    assert_allclose(loaded.predict_proba(X), twice.predict_proba(X), rtol=1e-6)


def test_boosting_loses_nothing_by_its_weights():
    X, y = clouds(600, spread=1.3)
    boosted = AdaBoostClassifier(knn(k=9), n_estimators=3).fit(X[:400], y[:400])
    first = boosted.estimators_[0]
    assert_allclose(first.predict_proba(X[400:]), knn(k=9).fit(X[:400], y[:400]).predict_proba(X[400:]), atol=1e-6)


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_votes_equal_scikit_learns(weights):
    X, y = clouds(200, seed=1)
    theirs = KNeighborsClassifier(9, weights=weights, metric="cosine").fit(X[:150], y[:150])
    ours = knn(k=9, weights=weights).fit(X[:150], y[:150])
    assert_allclose(ours.predict_proba(X[150:]), theirs.predict_proba(X[150:]), atol=1e-4)
    distances, rows = ours.kneighbors(X[150:])
    their_distances, their_rows = theirs.kneighbors(X[150:])
    assert_array_equal(rows, their_rows)
    assert_allclose(distances, their_distances, atol=1e-6)
    assert_array_equal(ours.kneighbors(return_distance=False), theirs.kneighbors(return_distance=False))


def test_many_queries_at_once_equal_one_at_a_time():
    X, y = clouds(60)
    queries = np.random.default_rng(3).normal(size=(1500, 5))
    fitted = knn().fit(X, y)
    together = fitted.predict_proba(queries)
    assert_allclose(together[1020:1030], [fitted.predict_proba(q[None])[0] for q in queries[1020:1030]], rtol=1e-6)


def test_length_does_not_matter_and_the_zero_vector_is_like_nothing():
    X, y = clouds()
    fitted = knn().fit(X, y)
    assert_allclose(knn().fit(X * 1e200, y).predict_proba(X * 1e-200), fitted.predict_proba(X), atol=1e-5)
    assert_allclose(fitted.kneighbors(np.zeros((1, 5)))[0], 1.0)


def test_order_of_the_gallery_does_not_matter():
    X, y = clouds()
    order = np.random.default_rng(5).permutation(len(X))
    assert_allclose(knn().fit(X[order], y[order]).predict_proba(X), knn().fit(X, y).predict_proba(X), rtol=1e-5)


def test_smoothing_leaves_no_zero_and_keeps_the_answer():
    X, y = clouds()
    raw, smooth = knn(weights="uniform").fit(X, y), knn(weights="uniform", smoothing=0.06).fit(X, y)
    assert (raw.predict_proba(X) == 0).any()
    assert_allclose(smooth.predict_proba(X).min(), 0.02)
    assert_array_equal(smooth.predict(X), raw.predict(X))


def test_balanced_votes_bring_up_the_rare_class():
    X, y = clouds(300, spread=1.2)
    rare = np.r_[np.flatnonzero(y != 0), np.flatnonzero(y == 0)[:10]]
    recall = [(knn(k=30, balanced=b).fit(X[rare], y[rare]).predict(X[y == 0]) == 0).mean() for b in (False, True)]
    assert recall[1] > recall[0] + 0.2


class TestSoftVotes:
    def test_one_hot_votes_equal_labels(self):
        X, y = clouds()
        hard, soft = knn().fit(X, y), knn().fit(X, y, votes=np.eye(3)[y] * 10)
        assert_array_equal(soft.predict_proba(X), hard.predict_proba(X))

    def test_columns_follow_the_named_classes(self):
        X, y = clouds()
        names = np.array(["sad", "happy", "contempt"])
        votes = np.random.default_rng(0).dirichlet(np.ones(3), len(X))
        plain = knn().fit(X, y, votes=votes)
        named = knn().fit(X, names[y], votes=votes, classes=names)
        assert named.classes_.tolist() == ["contempt", "happy", "sad"]
        assert_allclose(named.predict_proba(X)[:, [2, 1, 0]], plain.predict_proba(X))

    def test_an_abstaining_neighbour_says_nothing(self):
        fitted = knn(k=2).fit([[1.0, 0], [0, 1.0], [1, 1.0]], [0, 1, 1], votes=[[0, 0], [0, 1], [1, 0]])
        assert_allclose(fitted.predict_proba([[1.0, 0.0]]), [[1, 0]])
        alone = knn(k=1).fit([[1.0, 0], [0, 1.0]], [0, 1], votes=[[0, 0], [0, 1]])
        assert_allclose(alone.predict_proba([[1.0, 0.0]]), [[0.5, 0.5]])

    @pytest.mark.parametrize(
        ("votes", "sentence"),
        [([[1, 0]], "shape"), ([[1, 0], [-1, 2]], "row 1"), ([[np.nan, 1], [1, 0]], "row 0")],
    )
    def test_unfit_votes_are_refused(self, votes, sentence):
        with pytest.raises(ValueError, match=sentence):
            knn().fit([[1.0, 0], [0, 1.0]], [0, 1], votes=votes)


class TestAuto:
    @pytest.mark.parametrize("weights", ["softmax", "uniform", "distance"])
    def test_takes_the_pair_that_makes_the_gallery_likeliest(self, weights):
        X, y = clouds(60, spread=1.0)
        temperatures = TEMPERATURE_GRID if weights == "softmax" else (1.0,)
        cosines, likelihoods = normalize(X) @ normalize(X).T, {}
        for k in (k for k in K_GRID if k < 60):
            for temperature in temperatures:
                own = []
                for row in range(60):
                    near = [other for other in np.argsort(-cosines[row]) if other != row][:k]
                    counts = {
                        "softmax": np.exp(cosines[row, near] / temperature),
                        "uniform": np.ones(k),
                        "distance": 1 / np.maximum(1 - cosines[row, near], 1e-6),
                    }[weights]
                    share = counts[y[near] == y[row]].sum() / counts.sum()
                    own.append(np.log(0.95 * share + 0.05 / 3))
                likelihoods[k, temperature] = np.mean(own)
        chosen = knn(k="auto", temperature="auto", weights=weights, smoothing=0.05).fit(X, y)
        assert likelihoods[chosen.k_, chosen.temperature_] == pytest.approx(max(likelihoods.values()), rel=2e-5)
        assert len(set(np.round(list(likelihoods.values()), 6))) > 5

    def test_a_large_gallery_is_sampled_by_its_seed(self):
        X, y = clouds(5000, spread=1.2)
        chosen = [knn(k="auto", temperature="auto", smoothing=0.05, random_state=s).fit(X, y) for s in (0, 0, 1)]
        assert (chosen[0].k_, chosen[0].temperature_) == (chosen[1].k_, chosen[1].temperature_)
        assert all(10 <= fitted.k_ <= 200 for fitted in chosen)

    def test_a_gallery_of_one(self):
        fitted = KNNClassifier(k="auto", temperature="auto", index="exact").fit([[1.0, 2.0]], ["happy"])
        assert fitted.k_ == 1
        assert fitted.predict([[1.0, 2.0]]).tolist() == ["happy"]

    def test_rows_that_abstain_are_not_asked(self):
        X, y = clouds(60, spread=1.0)
        votes = np.eye(3)[y]
        votes[::2] = 0
        assert 1 <= knn(k="auto", smoothing=0.05).fit(X, y, votes=votes).k_ < 60


class TestGrowth:
    @pytest.mark.parametrize("soft", [False, True])
    @pytest.mark.parametrize("copied", [False, True])
    def test_partial_fit_equals_fit_on_all(self, soft, copied):
        X, y = clouds()
        rng = np.random.default_rng(0)
        votes = rng.dirichlet(np.ones(3), 90) if soft else None
        copies = rng.uniform(0.5, 2, 90) if copied else None
        part = lambda array, rows: None if array is None else array[rows]  # noqa: E731
        grown = knn(balanced=True)
        for rows in (slice(0, 40), slice(40, 41), slice(41, 90)):
            grown.partial_fit(
                X[rows], y[rows], classes=[0, 1, 2], sample_weight=part(copies, rows), votes=part(votes, rows)
            )
        whole = knn(balanced=True).fit(X, y, votes=votes, sample_weight=copies)
        assert_allclose(grown.predict_proba(X), whole.predict_proba(X), rtol=1e-6)
        assert_array_equal(grown.kneighbors(X)[1], whole.kneighbors(X)[1])

    def test_weights_may_come_with_later_rows_only(self):
        X, y = clouds()
        copies = np.r_[np.ones(50), np.full(40, 2.0)]
        grown = knn().fit(X[:50], y[:50]).partial_fit(X[50:], y[50:], sample_weight=copies[50:])
        assert_allclose(grown.predict_proba(X), knn().fit(X, y, sample_weight=copies).predict_proba(X), rtol=1e-6)

    def test_a_new_class_must_be_named_and_takes_its_sorted_place(self):
        X, y = clouds()
        names = np.array(["sad", "happy", "contempt"])[y]
        old = names != "contempt"
        fitted = knn().fit(X[old], names[old])
        before = fitted.predict_proba(X)
        with pytest.raises(ValueError, match="contempt"):
            fitted.partial_fit(X[~old], names[~old])
        assert_array_equal(fitted.predict_proba(X), before)
        fitted.partial_fit(X[~old], names[~old], classes=["contempt"])
        whole = knn().fit(np.r_[X[old], X[~old]], np.r_[names[old], names[~old]])
        assert fitted.classes_.tolist() == ["contempt", "happy", "sad"]
        assert_allclose(fitted.predict_proba(X), whole.predict_proba(X), rtol=1e-6)

    def test_forget_undoes_enrolment(self):
        X, y = clouds()
        old = y != 1
        fitted = knn().fit(X[old], y[old])
        before = fitted.predict_proba(X)
        fitted.partial_fit(X[~old], y[~old], classes=[1]).forget(1)
        assert fitted.classes_.tolist() == [0, 2]
        assert_allclose(fitted.predict_proba(X), before)
        with pytest.raises(ValueError, match="no class 1"):
            fitted.forget(1)
        with pytest.raises(ValueError, match="only class"):
            fitted.forget(0).forget(2)

    def test_a_row_of_no_weight_is_not_there(self):
        X, y = clouds()
        weight = (np.arange(90) % 4 != 0).astype(float)
        fitted = knn().fit(X, y, sample_weight=weight)
        _, rows = fitted.kneighbors(X)
        assert not (rows % 4 == 0).any()
        assert_allclose(fitted.predict_proba(X), knn().fit(X[weight > 0], y[weight > 0]).predict_proba(X))
        with pytest.raises(ValueError, match=r"non-zero|all are 0"):
            knn().fit(X, y, sample_weight=np.zeros(90))


class TestThreads:
    @pytest.mark.parametrize("change", ["forget", "partial_fit"])
    def test_a_change_waits_until_an_answer_is_given(self, change, monkeypatch):
        X, y = clouds()
        fitted = knn(k=1).fit(X, y)
        expected = fitted.predict(X)
        calls = {"forget": lambda: fitted.forget(2), "partial_fit": lambda: fitted.partial_fit(X, y - 3, [-3, -2, -1])}
        writer = threading.Thread(target=calls[change])
        search = fitted.gallery_.search

        def interrupted(*asked):
            found = search(*asked)
            writer.start()
            writer.join(0.2)
            return found

        monkeypatch.setattr(fitted.gallery_, "search", interrupted)
        assert_array_equal(fitted.predict(X), expected)
        writer.join()
        assert fitted.classes_.tolist() == ([0, 1] if change == "forget" else [-3, -2, -1, 0, 1, 2])

    def test_eight_readers_beside_a_writer(self):
        """Classes come and go, and row weights; every answer must be a distribution over the classes of one moment."""
        X, y = clouds(600)
        fitted = knn(index="flat").fit(X, y, sample_weight=np.linspace(0.5, 2, 600))
        stop, faults, answers = threading.Event(), [], []

        def read(seed):
            queries = np.random.default_rng(seed).normal(size=(3, 5))
            while not stop.is_set():
                try:
                    proba = fitted.predict_proba(queries)
                    assert proba.shape[1] in (3, 4)
                    assert_allclose(proba.sum(axis=1), 1)
                    assert set(fitted.predict(queries)) <= {0, 1, 2, 9}
                    assert (fitted.kneighbors(queries, 5)[1] >= 0).all()
                    answers.append(seed)
                except BaseException as error:  # a reader's thread has nobody to raise to
                    faults.append(error)
                    return

        readers = [threading.Thread(target=read, args=(seed,)) for seed in range(8)]
        for reader in readers:
            reader.start()
        changes = 0
        while not faults and (changes < 20 or min(map(answers.count, range(8))) < 5):
            fitted.partial_fit(X[:20], np.full(20, 9), classes=[9], sample_weight=np.full(20, 1.5))
            fitted.forget(9)
            changes += 1
        stop.set()
        for reader in readers:
            reader.join()
        assert not faults, faults[0]


class TestPrototypes:
    def test_one_for_each_class_is_the_nearest_mean_direction(self):
        X, y = clouds(200, spread=1.0)
        ours = knn(k=1, weights="uniform", prototypes=1).fit(X, y)
        means = NearestCentroid().fit(normalize(X), y)
        directions = KNeighborsClassifier(1, metric="cosine").fit(means.centroids_, means.classes_)
        assert len(ours.index_) == 3
        assert_array_equal(ours.predict(X), directions.predict(X))
        assert_allclose(ours.kneighbors(X)[0], directions.kneighbors(X)[0], atol=1e-6)

    def test_several_find_the_groups_within_a_class(self):
        rng = np.random.default_rng(0)
        corners = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
        X = np.repeat(corners, 20, axis=0) + 0.05 * rng.normal(size=(80, 2))
        y = np.repeat([0, 0, 1, 1], 20)
        fitted = knn(k=1, prototypes=2).fit(X, y)
        assert (fitted.predict(X) == y).all()
        assert_allclose(np.sort(fitted.kneighbors(corners)[0].ravel()), 0, atol=0.01)

    def test_soft_votes_weigh_the_means(self):
        X, y = clouds()
        fitted = knn(k=1, prototypes=1).fit(X, y, votes=np.eye(3)[y] * 0.9 + 0.1 / 3)
        assert len(fitted.index_) == 3
        plain = knn(k=1, prototypes=1).fit(X, y)
        assert (fitted.kneighbors(plain.index_.reconstruct(plain.index_.ids))[0] > 1e-6).any()

    def test_temperature_is_chosen_on_the_training_rows(self):
        X, y = clouds(200, spread=1.0)
        fitted = knn(k=3, temperature="auto", prototypes=1).fit(X, y)
        likelihood = {
            t: np.log(knn(k=3, temperature=t, prototypes=1).fit(X, y).predict_proba(X)[np.arange(200), y]).mean()
            for t in TEMPERATURE_GRID
        }
        assert fitted.temperature_ == max(likelihood, key=likelihood.get)

    def test_they_do_not_grow(self):
        assert not hasattr(KNNClassifier(prototypes=1), "partial_fit")


def test_familiar_rows_score_above_strange_ones():
    X, y = clouds(200, dim=16)
    fitted = knn().fit(X[:150], y[:150])
    strange = np.random.default_rng(9).normal(size=(50, 16))
    assert np.median(fitted.score_samples(X[150:])) > np.median(fitted.score_samples(strange)) + 0.05
    assert_allclose(fitted.score_samples(strange), -fitted.kneighbors(strange)[0][:, -1])


@pytest.mark.parametrize("names", [None, ["angry", "happy", "sad"]])
@pytest.mark.parametrize(
    "parameters",
    [{}, {"weights": "distance", "balanced": True}, {"k": "auto", "temperature": "auto"}, {"prototypes": 2}],
)
def test_saved_and_loaded_it_answers_the_same(tmp_path, parameters, names):
    X, y = clouds()
    labels = y if names is None else np.array(names)[y]
    fitted = knn(smoothing=np.float64(0.05), **parameters).fit(X, labels, sample_weight=np.linspace(0.5, 2, 90))
    fitted.save(tmp_path / "knn")
    loaded = KNNClassifier.load(tmp_path / "knn")
    assert loaded.get_params() == fitted.get_params()
    assert_array_equal(loaded.classes_, fitted.classes_)
    assert_array_equal(loaded.predict(X), fitted.predict(X))
    assert_allclose(loaded.predict_proba(X), fitted.predict_proba(X), atol=1e-7)
    if "prototypes" not in parameters:
        for one in (fitted, loaded):
            one.partial_fit(X[:9] * -1, labels[:9])
        assert_allclose(loaded.predict_proba(X), fitted.predict_proba(X), atol=1e-7)
    assert not list((tmp_path / "knn").rglob("*.pkl"))


def test_a_spoilt_or_foreign_folder_is_refused(tmp_path):
    X, y = clouds()
    knn().fit(X, y).save(tmp_path / "knn")
    config = tmp_path / "knn" / "config.json"
    saved = json.loads(config.read_text())
    (tmp_path / "knn" / "manifest.json").unlink()  # older versions wrote none
    for spoilt in ("{", json.dumps({**saved, "estimator": "SoftmaxHead"}), json.dumps({**saved, "classes": 3})):
        config.write_text(spoilt)
        with pytest.raises(StorageError, match="KNNClassifier"):
            KNNClassifier.load(tmp_path / "knn")
    with pytest.raises(StorageError, match="nothing"):
        KNNClassifier.load(tmp_path / "nothing")


def test_a_given_index_is_copied_and_stays_empty():
    X, y = clouds()
    index = make_index("exact", 5)
    fitted = knn(index=index).fit(X, y)
    assert fitted.get_params()["index"] is index
    assert len(index) == 0
    assert_array_equal(fitted.predict_proba(X), knn().fit(X, y).predict_proba(X))
    assert len(fitted.fit(X[:50], y[:50]).index_) == 50
    assert_array_equal(clone(fitted).fit(X, y).predict(X), knn().fit(X, y).predict(X))
    assert cross_val_score(knn(index=index), X, y, cv=3).min() > 0.5
    index.add(X)
    with pytest.raises(ValueError, match="holds 90 vectors"):
        knn(index=index).fit(X, y)


@pytest.mark.parametrize(
    "change",
    [{"k": 1}, {"weights": "uniform"}, {"temperature": 0.9}, {"balanced": True}, {"smoothing": 0.3}],
    ids=lambda change: next(iter(change)),
)
@pytest.mark.parametrize("start", [{}, {"k": "auto", "temperature": "auto"}], ids=["given", "auto"])
def test_what_matters_at_an_answer_acts_at_once(tmp_path, change, start):
    X, y = clouds(91)
    fitted = knn(**start).fit(X, y)
    found = {"k": fitted.k_, "temperature": fitted.temperature_} if start else {}
    before = fitted.predict_proba(X)
    fitted.set_params(**change)
    assert_allclose(fitted.predict_proba(X), knn(**{**found, **change}).fit(X, y).predict_proba(X), rtol=1e-6)
    assert np.abs(fitted.predict_proba(X) - before).max() > 1e-3
    fitted.save(tmp_path / "knn")
    assert_allclose(KNNClassifier.load(tmp_path / "knn").predict_proba(X), fitted.predict_proba(X), rtol=1e-6)


def test_what_is_set_after_fit_is_checked_and_auto_waits_for_the_next():
    X, y = clouds()
    fitted = knn(k=3).fit(X, y)
    assert fitted.set_params(k="auto").k_ == 3
    assert fitted.kneighbors(X, return_distance=False).shape == (90, 3)
    assert fitted.set_params(k=5).kneighbors(X, return_distance=False).shape == (90, 5)
    with pytest.raises(ValueError, match="k must be a whole number from 1 or 'auto', not 0"):
        fitted.set_params(k=0).predict(X)


def test_embeddings_far_from_the_origin_are_warned_of():
    X, y = clouds(spread=0.2)
    far = (X + 1e4).astype(np.float32)
    with pytest.warns(UserWarning, match="point almost the same way .* subtract their mean first"):
        lost = knn().fit(far[:60], y[:60]).score(far[60:], y[60:])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kept = make_pipeline(StandardScaler(), knn()).fit(far[:60], y[:60]).score(far[60:], y[60:])
        knn().fit(np.ones((3, 5)), [0, 1, 1])
    assert kept > lost


def test_pickled_for_a_worker_it_answers_the_same():
    X, y = clouds()
    fitted = knn().fit(X, y)
    assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(X), fitted.predict_proba(X))


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"k": 0}, "k must be a whole number"),
        ({"k": "some"}, "k must be a whole number"),
        ({"weights": "loud"}, "weights must be one of uniform, distance, softmax"),
        ({"temperature": 0}, "temperature must be a number above 0"),
        ({"smoothing": 1.0}, "smoothing must be a number from 0 to below 1"),
        ({"prototypes": 1.5}, "prototypes must be a whole number"),
    ],
)
def test_an_unfit_parameter_is_named(parameters, sentence):
    with pytest.raises(ValueError, match=sentence):
        knn(**parameters).fit(*clouds())


@pytest.mark.parametrize("asked", [0, 91])
def test_neighbours_that_are_not_there_are_not_promised(asked):
    with pytest.raises(ValueError, match="the 90 rows there are"):
        knn().fit(*clouds()).kneighbors([[1.0] * 5], n_neighbors=asked)


def test_non_finite_queries_are_refused():
    fitted = knn().fit(*clouds())
    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match="NaN|infinity"):
            fitted.predict_proba(np.full((1, 5), value))
