"""Miners against their definitions, and the warm-up that survives a restart."""

import naive_losses as naive
import numpy as np
import pytest
import torch

from ferembed.losses import make_miner


@pytest.fixture
def points():
    rng = np.random.default_rng(0)
    return naive.unit(rng.normal(size=(20, 6))), rng.integers(0, 4, 20)


def mined(name, points, margin=float("inf"), **parameters):
    x, y = points
    rows = make_miner(name, **parameters).build(margin)(torch.tensor(x), torch.tensor(y))
    return [tuple(index.tolist()) for index in rows]


def as_set(rows):
    return set(zip(*rows, strict=True))


def test_all_leaves_everything_in(points):
    x, y = points
    assert make_miner("all").build()(torch.tensor(x), torch.tensor(y)) is None


@pytest.mark.parametrize("margin", [0.05, 0.3, float("inf")])
def test_semihard(points, margin):
    x, y = points
    d = naive.distances(x)
    expected = {(a, p, n) for a, p, n in naive.all_triplets(y) if 0 < d[a, n] - d[a, p] <= margin}
    assert as_set(mined("semihard", points, margin)) == expected


def test_hard(points):
    x, y = points
    d = naive.distances(x)
    for a, p, n in as_set(mined("hard", points, warm_up=0)):
        assert d[a, p] == max(d[a, j] for j in range(20) if y[j] == y[a])
        assert d[a, n] == min(d[a, j] for j in range(20) if y[j] != y[a])


@pytest.mark.parametrize("negatives", ["hard", "semihard"])
def test_easy_positive(points, negatives):
    x, y = points
    d = naive.distances(x)
    rows = mined("easy_positive", points, negatives=negatives)
    anchors, positives, others, farther = rows
    assert anchors == others
    for a, p, n in zip(anchors, positives, farther, strict=True):
        assert d[a, p] == min(d[a, j] for j in range(20) if y[j] == y[a] and j != a)
        least = d[a, p] if negatives == "semihard" else -1
        assert d[a, n] == min(d[a, j] for j in range(20) if y[j] != y[a] and d[a, j] > least)


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 0.4])
def test_multi_similarity(points, epsilon):
    x, y = points
    s = x @ x.T
    positives, negatives = set(), set()
    for a in range(20):
        like = [j for j in range(20) if j != a and y[j] == y[a]]
        unlike = [j for j in range(20) if y[j] != y[a]]
        positives |= {(a, j) for j in like if s[a, j] - epsilon < max(s[a, unlike])}
        negatives |= {(a, j) for j in unlike if s[a, j] + epsilon > min(s[a, like])}
    a1, p, a2, n = mined("multi_similarity", points, epsilon=epsilon)
    assert as_set((a1, p)) == positives
    assert as_set((a2, n)) == negatives


@pytest.mark.parametrize("angle", [20.0, 30.0, 45.0])
def test_angular(points, angle):
    x, y = points

    def degrees(a, p, n):
        return np.degrees(np.arctan(np.linalg.norm(x[a] - x[p]) / (2 * np.linalg.norm(x[n] - (x[a] + x[p]) / 2))))

    expected = {t for t in naive.all_triplets(y) if degrees(*t) > angle}
    assert as_set(mined("angular", points, angle=angle)) == expected


def test_three_orthogonal_embeddings_make_thirty_degrees():
    corner = (torch.eye(3), torch.tensor([0, 0, 1]))
    assert len(make_miner("angular", angle=29.9).build()(*corner)[0]) == 2
    assert len(make_miner("angular", angle=30.1).build()(*corner)[0]) == 0


def test_warm_up_goes_on_after_a_restart(points):
    x, y = (torch.tensor(a) for a in points)

    def same(rows, others):
        return len(rows) == len(others) and all(torch.equal(a, b) for a, b in zip(rows, others, strict=True))

    semihard, hard = make_miner("semihard").build(0.3)(x, y), make_miner("hard", warm_up=0).build()(x, y)
    miner = make_miner("hard", warm_up=3).build(0.3)
    assert same(miner(x, y), semihard)
    assert same(miner(x, y), semihard)
    resumed = make_miner("hard", warm_up=3).build(0.3)
    resumed.load_state_dict(miner.state_dict())
    resumed.eval()
    for _ in range(5):
        assert same(resumed(x, y), semihard)  # evaluation does not count
    resumed.train()
    assert same(resumed(x, y), semihard)
    assert same(resumed(x, y), hard)
