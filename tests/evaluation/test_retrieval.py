"""Retrieval figures against loops, scikit-learn and known answers."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import silhouette_samples

from ferembed.evaluation import collapsed, compare_retrieval, evaluate_retrieval, retrieval, retrieve
from ferembed.evaluation.bootstrap import draw_counts
from ferembed.evaluation.retrieval import retrieval_by_query, silhouette_by_query
from ferembed.probability import ALIKE


def unit(rng, n, d=4):
    vectors = rng.normal(size=(n, d))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def naive(query, label, gallery, labels, k):
    """Recall at k and average precision at R of one query, as they are written down."""
    order = sorted(range(len(gallery)), key=lambda i: ALIKE * (labels[i] == label) - query @ gallery[i])
    hits = [labels[i] == label for i in order]
    r = sum(hits)
    average = sum(sum(hits[: i + 1]) / (i + 1) for i in range(r) if hits[i]) / r if r else 0.0
    return float(any(hits[:k])), average


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), q=st.integers(1, 12), g=st.integers(1, 30), c=st.integers(1, 5))
def test_against_a_loop(seed, q, g, c):
    rng = np.random.default_rng(seed)
    queries, gallery = unit(rng, q), unit(rng, g)
    labels, own = rng.integers(0, c, q), rng.integers(0, c, g)
    hits, precision = retrieval_by_query(queries, labels, gallery, own, recalls=(1, 3))
    for i in range(q):
        for place, k in enumerate((1, 3)):
            recall, average = naive(queries[i], labels[i], gallery, own, k)
            assert hits[i, place] == recall
            assert precision[i] == pytest.approx(average)


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), g=st.integers(1, 20))
def test_ties_count_against_the_system(seed, g):
    rng = np.random.default_rng(seed)
    gallery = np.eye(3)[rng.integers(0, 3, g)] * rng.choice([-1, 1], (g, 1))
    own = rng.integers(0, 2, g)
    queries, labels = np.concatenate([np.eye(3), -np.eye(3)]), np.array([0, 1, 0, 1, 0, 1])
    for kind in (np.float32, np.float64):
        hits, precision = retrieval_by_query(queries.astype(kind), labels, gallery.astype(kind), own, recalls=(2,))
        for i in range(6):
            recall, average = naive(queries[i], labels[i], gallery, own, 2)
            assert (hits[i, 0], precision[i]) == (recall, pytest.approx(average))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("noise", [0.0, 1e-8, 1e-7])
@pytest.mark.parametrize("d", [3, 128])
def test_a_collapsed_embedding_finds_nothing_and_is_named(kind, noise, d):
    rng = np.random.default_rng(0)
    point = unit(rng, 1, d)

    def faces(n):
        noisy = point + noise * rng.normal(size=(n, d))
        return (noisy / np.linalg.norm(noisy, axis=1, keepdims=True)).astype(kind)

    measured = evaluate_retrieval(faces(70), np.repeat(range(7), 10), faces(700), np.repeat(range(7), 100))
    assert measured.collapsed
    assert (measured.recall_at_1, measured.recall_at_10, measured.map_at_r, measured.silhouette) == (0, 0, 0, 0)
    # Against a gallery of one class alone, nothing else can be nearer.
    one = evaluate_retrieval(faces(5), [0] * 5, faces(20), [0] * 20)
    assert (one.recall_at_1, one.map_at_r) == (1, 1)


def test_what_has_not_collapsed():
    rng = np.random.default_rng(0)
    assert not collapsed(unit(rng, 50))
    assert not collapsed(np.array([1.0, 0, 0]) + 0.01 * rng.normal(size=(50, 3)))  # a cone of half a degree
    assert collapsed(np.zeros((4, 3)))
    assert collapsed(7 * np.ones((4, 3)))
    two = np.eye(2)[[0, 0, 0, 1]]
    assert not collapsed(two)
    assert not evaluate_retrieval(two, [0, 0, 0, 1], two, [0, 0, 0, 1]).collapsed


def test_similarities_that_rounding_parts_are_ties():
    query, near = np.array([[1.0, 0.0]]), np.array([[np.cos(t), np.sin(t)] for t in (0.5, 0.5 + 1e-7, 0.5 + 1e-5)])
    assert retrieval_by_query(query, ["a"], near, ["a", "b", "b"], recalls=(1,))[0] == 0
    assert retrieval_by_query(query, ["a"], near, ["a", "a", "b"], recalls=(1,))[0] == 1


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), n=st.integers(3, 40), c=st.integers(2, 5))
def test_silhouette_against_scikit_learn(seed, n, c):
    rng = np.random.default_rng(seed)
    vectors, labels = unit(rng, n), rng.integers(0, c, n)
    found = silhouette_by_query(vectors, labels)
    if not 2 <= len(set(labels.tolist())) <= n - 1:
        assert (found is None) == (len(set(labels.tolist())) < 2)
        return
    np.testing.assert_allclose(found, silhouette_samples(vectors, labels, metric="cosine"), atol=1e-9)


def test_a_query_in_the_gallery_finds_itself_and_perfect_classes_score_one():
    vectors, labels = np.eye(4)[[0, 0, 1, 1, 2, 2]], [0, 0, 1, 1, 2, 2]
    measured = evaluate_retrieval(vectors, labels, vectors, labels)
    assert (measured.recall_at_1, measured.recall_at_10, measured.map_at_r, measured.silhouette) == (1, 1, 1, 1)
    assert measured.count == 6


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_recalls_rise_with_k_and_rotation_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    queries, gallery = unit(rng, 20), unit(rng, 50)
    labels, own = rng.integers(0, 4, 20), rng.integers(0, 4, 50)
    measured = evaluate_retrieval(queries, labels, gallery, own)
    assert measured.recall_at_1 <= measured.recall_at_5 <= measured.recall_at_10 <= 1
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    turned = evaluate_retrieval(queries @ turn, labels, gallery @ turn, own)
    assert turned.map_at_r == pytest.approx(measured.map_at_r)
    assert turned.silhouette == pytest.approx(measured.silhouette)


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    arguments = unit(rng, 30), rng.integers(0, 3, 30), unit(rng, 40), rng.integers(0, 3, 40)
    whole = evaluate_retrieval(*arguments)
    monkeypatch.setattr(retrieval, "_BLOCK", 100)
    assert evaluate_retrieval(*arguments) == whole


def test_intervals_and_json():
    rng = np.random.default_rng(0)
    queries, labels = unit(rng, 300), rng.integers(0, 3, 300)
    measured = evaluate_retrieval(queries, labels, queries[::-1], labels[::-1], resamples=200)
    low, high = measured.intervals["silhouette"]
    assert low < measured.silhouette < high
    assert measured.intervals["recall_at_1"] == pytest.approx((0.025 ** (1 / 300), 1.0))
    assert "map_at_r" in measured.intervals
    read = json.loads(json.dumps(measured.to_dict(), allow_nan=False))
    assert read[read["primary"]] == measured.map_at_r


def test_two_embeddings_are_compared_query_by_query():
    rng = np.random.default_rng(0)
    labels, own = rng.integers(0, 3, 200), rng.integers(0, 3, 300)
    centres = np.eye(3)
    worse, better = (
        [(centres[names] + noise * rng.normal(size=(len(names), 3))) for names in (labels, own)] for noise in (1.0, 0.3)
    )
    first, second = (retrieve(queries, labels, gallery, own) for queries, gallery in (worse, better))
    paired = compare_retrieval(first, second, resamples=200)
    assert paired.first == evaluate_retrieval(worse[0], labels, worse[1], own, resamples=200)
    assert set(paired.differences) == {"recall_at_1", "recall_at_5", "recall_at_10", "map_at_r", "silhouette"}
    for name in ("recall_at_1", "map_at_r", "silhouette"):
        gap = paired.differences[name]
        assert gap.interval.low > 0
        assert gap.p_value < 0.05
        assert gap.difference == getattr(paired.second, name) - getattr(paired.first, name)
    ours, theirs = (each.by_query["map_at_r"] for each in (first, second))
    counts = np.concatenate(list(draw_counts(200, 200, 0)))
    drawn = counts @ (theirs - ours) / 200
    assert paired.differences["map_at_r"].interval == pytest.approx(tuple(np.percentile(drawn, [2.5, 97.5])))
    itself = compare_retrieval(first, first, resamples=50).differences
    assert itself["recall_at_1"].interval.low < 0 < itself["recall_at_1"].interval.high
    assert itself["map_at_r"].interval is None
    json.dumps(paired.to_dict(), allow_nan=False)
    with pytest.raises(ValueError, match="the same queries; got 200 and 3"):
        compare_retrieval(first, retrieve(np.eye(3), range(3), np.eye(3), range(3)))


def test_one_class_has_no_silhouette():
    measured = evaluate_retrieval(np.eye(3), [1, 1, 1], np.eye(3), [1, 1, 1], resamples=10)
    assert measured.silhouette is None
    assert "silhouette" not in measured.intervals


@pytest.mark.parametrize(
    ("shapes", "sentence"),
    [
        (((2, 3), (2,), (2, 4), (2,)), r"one length; got \(2, 3\) and \(2, 4\)"),
        (((0, 3), (0,), (2, 3), (2,)), "one vector or more"),
        (((2, 3), (1,), (2, 3), (2,)), "2 queries and 2 gallery vectors need as many labels"),
    ],
)
def test_mistakes_are_told(shapes, sentence):
    with pytest.raises(ValueError, match=sentence):
        evaluate_retrieval(*(np.ones(shape) for shape in shapes))
