"""Screening must spare work, never an answer."""

import numpy as np
import pytest

from ferembed.index import ExactIndex, make_index
from ferembed.index._screen import Screen

DIM = 64
RNG = np.random.default_rng(0)
ROTATION = np.linalg.qr(RNG.normal(size=(DIM, DIM)))[0]


def embeddings(n, tail, seed):
    """Vectors near a 6-dimensional part of the space, with so much noise across all of it."""
    rng = np.random.default_rng(seed)
    near = np.zeros((n, DIM))
    near[:, :6] = rng.normal(size=(n, 6))
    return ((near + tail * rng.normal(size=(n, DIM))) @ ROTATION).astype(np.float32)


def assert_same(index, oracle, queries, k, **kwargs):
    for start in range(0, len(queries), 7):
        part = queries[start : start + 7]
        got, want = index.search(part, k, **kwargs), oracle.search(part, k, **kwargs)
        np.testing.assert_allclose(got.similarities, want.similarities, atol=2e-6)
        assert (got.ids == want.ids).mean() > 0.97


@pytest.mark.parametrize(("tail", "screened"), [(0.02, True), (0.1, True), (5.0, False)])
@pytest.mark.parametrize("k", [1, 10, 40, 3000])
def test_answers_are_exact_whether_or_not_screening_helps(tail, screened, k):
    gallery, queries = embeddings(12_000, tail, seed=1), embeddings(21, tail, seed=2)
    index, oracle = make_index("flat", DIM), ExactIndex(DIM)
    for one in (index, oracle):
        one.add(gallery, labels=np.arange(len(gallery)) % 8)
    assert (index._store._screen is not None) is screened
    assert_same(index, oracle, queries, k)
    assert_same(index, oracle, queries, k, filter=[2, 5])
    assert_same(index, oracle, gallery[:7], k)


def test_screen_follows_additions_and_removals():
    index, oracle = make_index("flat", DIM), ExactIndex(DIM)
    gallery = embeddings(11_000, 0.05, seed=3)
    for one in (index, oracle):
        one.add(gallery[:5000])
        one.add(gallery[5000:5001])
        one.remove(np.arange(0, 3000, 2))
        one.add(gallery[5001:9000])
        one.add(-gallery[9000:])
    assert_same(index, oracle, embeddings(14, 0.05, seed=4), 12)
    assert_same(index, oracle, -embeddings(14, 0.05, seed=4), 12)
    # Fewer rows than the screen asks for at first.
    for one in (index, oracle):
        one.remove(one.ids[60:])
    assert_same(index, oracle, gallery[:5], 12)


def test_few_rows_are_looked_at_where_embeddings_lie_near_a_few_directions(monkeypatch):
    gallery = embeddings(20_000, 0.05, seed=5)
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    screen = Screen.fit(gallery)
    looked_at = []
    from ferembed.index import _screen

    products = _screen._products
    monkeypatch.setattr(_screen, "_products", lambda q, m, rows: looked_at.append(len(rows)) or products(q, m, rows))
    for query in gallery[:50]:
        screen.search(query, 10, gallery, None)
    assert sum(looked_at) / 50 < 0.1 * len(gallery)


def test_a_query_without_direction_finds_something():
    index = make_index("flat", DIM)
    index.add(embeddings(6000, 0.05, seed=6))
    found = index.search(np.zeros((1, DIM)), k=5)
    assert (found.similarities == 0).all()
    assert len(set(found.ids[0].tolist())) == 5
