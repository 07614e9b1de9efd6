import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from ferembed.training._diagnostics import (
    active_triplets,
    class_distances,
    embedding_figures,
    retrieval,
    soft_vote,
)


def sphere(n, d=4, classes=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    vectors = normalize(torch.randn(n, d, generator=generator), dim=1)
    return vectors, torch.randint(0, classes, (n,), generator=generator)


def test_the_soft_vote_equals_a_loop():
    (gallery, labels), (queries, _) = sphere(50), sphere(5, seed=1)
    for query, vote in zip(queries, soft_vote(queries, gallery, labels), strict=True):
        near = sorted(range(50), key=lambda i: -float(query @ gallery[i]))[:30]
        weights = np.exp([float(query @ gallery[i]) / 0.05 for i in near])
        expected = [sum(w for w, i in zip(weights, near, strict=True) if labels[i] == c) for c in range(3)]
        np.testing.assert_allclose(vote, np.array(expected) / weights.sum(), rtol=1e-4)


def test_retrieval_equals_a_loop():
    (gallery, gallery_labels), (queries, labels) = sphere(40), sphere(9, seed=1)
    firsts, averages = [], []
    for query, label in zip(queries, labels, strict=True):
        hits = [bool(gallery_labels[i] == label) for i in sorted(range(40), key=lambda i: -float(query @ gallery[i]))]
        r = sum(hits)
        firsts.append(hits[0])
        averages.append(sum(sum(hits[: i + 1]) / (i + 1) for i in range(r) if hits[i]) / r)
    recall, map_at_r = retrieval(queries @ gallery.T, labels, gallery_labels)
    assert recall.item() == pytest.approx(np.mean(firsts))
    assert map_at_r.item() == pytest.approx(np.mean(averages), rel=1e-5)


def test_a_query_whose_class_the_gallery_lacks_does_not_count():
    recall, map_at_r = retrieval(torch.tensor([[1.0, 0.0]]), torch.tensor([5]), torch.tensor([0, 1]))
    assert (recall, map_at_r) == (0, 0)


def test_class_distances_equal_a_loop():
    vectors, labels = sphere(20, seed=2)
    assert labels.bincount().tolist() == [8, 7, 5]
    within, between = ([], [])
    for c in range(3):
        mine = [i for i in range(20) if labels[i] == c]
        far = [i for i in range(20) if labels[i] != c]
        within.append(np.mean([float((vectors[i] - vectors[j]).norm()) for i in mine for j in mine if i != j]))
        between.append(np.mean([float((vectors[i] - vectors[j]).norm()) for i in mine for j in far]))
    measured = class_distances(vectors, labels, 4)
    np.testing.assert_allclose(measured[0], [*within, np.nan], rtol=1e-4)
    np.testing.assert_allclose(measured[1], [*between, np.nan], rtol=1e-4)


def test_the_mean_distances_leave_absent_classes_out():
    vectors, labels = sphere(20, seed=2)
    figures = embedding_figures(vectors, labels, vectors, labels, ("a", "b", "c", "absent"))
    for kind in ("distance_within", "distance_between"):
        present = [float(figures[f"{kind}/{name}"]) for name in "abc"]
        assert figures[f"{kind}/absent"].isnan()
        assert float(figures[kind]) == pytest.approx(np.mean(present))


def test_active_triplets_are_found_among_rows_sorted_by_class():
    vectors, _ = sphere(600)
    labels = torch.arange(3).repeat_interleave(200)
    assert 0.3 < embedding_figures(vectors, labels, vectors, labels, "abc")["active_triplets"] < 1


def test_active_triplets_equal_a_loop():
    vectors, labels = sphere(15)
    d = torch.cdist(vectors, vectors)
    every = [
        (a, p, n)
        for a in range(15)
        for p in range(15)
        for n in range(15)
        if a != p and labels[a] == labels[p] and labels[a] != labels[n]
    ]
    active = [bool(d[a, p] + 0.2 > d[a, n]) for a, p, n in every]
    assert active_triplets(vectors, labels).item() == pytest.approx(np.mean(active))


def test_one_class_alone_has_no_triplets_and_no_distance_between():
    vectors, _ = sphere(6)
    labels = torch.zeros(6, dtype=torch.long)
    assert active_triplets(vectors, labels) == 0
    assert class_distances(vectors, labels, 1)[1].isnan()


def test_spread_is_0_for_a_point_and_1_for_a_cross():
    labels = torch.tensor([0, 0, 1, 1])
    point = torch.eye(4)[[0, 0, 0, 0]]
    cross = torch.cat([torch.eye(2), -torch.eye(2)])
    gallery = torch.eye(4)
    assert embedding_figures(point, labels, gallery, labels, "ab")["spread"] == 0
    assert embedding_figures(cross, labels, torch.eye(2), labels[:2], "ab")["spread"] == 1
