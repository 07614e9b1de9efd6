"""The oracle itself, against answers known beforehand; and what every kind refuses."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferembed.index import ExactIndex, Index, IndexStateError, make_index

KINDS = ["exact", "flat", "ivf", "auto"]


def test_known_answers():
    index = ExactIndex(2)
    index.add([[2, 0], [0, 3], [1, 1], [-1, 0]], ids=[10, -20, 30, 2**62], labels=[0, 1, 1, 2])
    found = index.search([[1, 0], [0, 1]], k=4)
    root = np.sqrt(0.5)
    np.testing.assert_allclose(found.similarities, [[1, root, 0, -1], [1, root, 0, 0]], atol=1e-7)
    assert found.ids.tolist() == [[10, 30, -20, 2**62], [-20, 30, 10, 2**62]]
    assert found.labels.tolist() == [[0, 1, 1, 2], [1, 1, 0, 2]]


def test_equal_similarities_come_in_the_order_they_were_added():
    rng = np.random.default_rng(0)
    face = rng.normal(size=24)
    others = rng.normal(size=(500, 24))
    vectors = np.insert(others, [3, 77, 401], face, axis=0)
    copies = np.flatnonzero((vectors == face).all(axis=1))
    index = ExactIndex(24)
    index.add(vectors)
    assert index.search([face], k=3).ids[0].tolist() == copies.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_ids_default_to_the_next_free_integers_and_are_never_used_twice(kind):
    index = make_index(kind, 2)
    index.add([[1, 0], [0, 1]])
    index.add([[1, 1]], ids=[40])
    index.add([[1, 2]])
    index.remove([41])
    index.add([[1, 3]])
    assert index.ids.tolist() == [0, 1, 40, 42]
    assert index.labels.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_is_an_index_that_may_be_empty(kind):
    index = make_index(kind, 3)
    assert isinstance(index, Index)
    assert len(index) == 0
    found = index.search(np.ones((2, 3)), k=4)
    assert (found.ids == -1).all()
    assert (found.labels == -1).all()
    assert (found.similarities == -np.inf).all()
    assert found.ids.shape == (2, 4)
    assert index.reconstruct([]).shape == (0, 3)
    index.add(np.zeros((0, 3)))
    index.remove([])
    assert len(index) == 0
    assert index.recall() == 1
    assert index.search(np.zeros((0, 3)), k=1).ids.shape == (0, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_pads_where_there_are_fewer_than_k(kind):
    index = make_index(kind, 2)
    index.add([[1, 0], [0, 1], [1, 1]], labels=[5, 6, 6])
    found = index.search([[1, 0]], k=5)
    assert found.ids.tolist() == [[0, 2, 1, -1, -1]]
    assert found.similarities[0, 3] == -np.inf
    assert index.search([[1, 0]], k=3, filter=[6, 9]).ids.tolist() == [[2, 1, -1]]
    assert index.search([[1, 0]], k=1, filter=[9]).ids.tolist() == [[-1]]
    assert index.search([[1, 0]], k=1, filter=[]).ids.tolist() == [[-1]]


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_of_any_length_are_stored_at_length_one(kind):
    index = make_index(kind, 2)
    index.add([[3e300, 4e300], [3e-300, -4e-300], [0, 0]], ids=[1, 2, 3], labels=[7, 8, 9])
    np.testing.assert_allclose(index.reconstruct([2, 1, 3]), [[0.6, -0.8], [0.6, 0.8], [0, 0]], atol=1e-6)
    assert index.labels_of([3, 1]).tolist() == [9, 7]
    np.testing.assert_allclose(index.search([[0, 1e-200]], k=3).similarities, [[0.8, 0, -0.8]], atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda i: i.add([[1, 2, 3]]), r"vectors must have shape \(n, 2\), one vector a row, not \(1, 3\)"),
        (lambda i: i.add([1, 2]), r"not \(2,\)"),
        (lambda i: i.add([["a", "b"]]), "vectors must be numbers"),
        (lambda i: i.add([[1, 1], [1, np.nan]]), "row 1 holds NaN or infinity"),
        (lambda i: i.add([[1, 1]], ids=[7]), "id 7 is already in the index"),
        (lambda i: i.add([[1, 1], [1, 2]], ids=[5, 5]), "id 5 is given more than once"),
        (lambda i: i.add([[1, 1]], ids=[5, 6]), "one of ids for each vector: 1, not 2"),
        (lambda i: i.add([[1, 1]], ids=[0.5]), "ids must be whole numbers"),
        (lambda i: i.add([[1, 1]], ids=np.array([2**63], np.uint64)), "64 signed bits"),
        (lambda i: i.add([[1, 1]], labels=["happy"]), "labels must be whole numbers"),
        (lambda i: i.remove([7, 3]), "id 3 is not in the index"),
        (lambda i: i.reconstruct([8]), "id 8 is not in the index"),
        (lambda i: i.labels_of([8]), "id 8 is not in the index"),
        (lambda i: i.search([[1, 1]], k=0), "k must be a whole number of at least 1, not 0"),
        (lambda i: i.search([[1, 1]], k=1.5), "k must be"),
        (lambda i: i.search([[np.inf, 1]], k=1), "queries must be finite"),
        (lambda i: i.search([[1, 1, 1]], k=1), "queries must have shape"),
    ],
)
def test_refusals_say_what_is_wrong_and_change_nothing(kind, call, sentence):
    index = make_index(kind, 2)
    index.add([[1, 0]], ids=[7], labels=[4])
    with pytest.raises(IndexStateError, match=sentence):
        call(index)
    assert index.ids.tolist() == [7]
    assert index.search([[1, 0]], k=1).labels.tolist() == [[4]]


def test_no_integer_follows_the_largest():
    index = ExactIndex(1)
    index.add([[1.0]], ids=[2**63 - 1])
    with pytest.raises(IndexStateError, match="give `ids`"):
        index.add([[1.0]])


def test_refuses_unknown_kinds_and_sizes():
    with pytest.raises(IndexStateError, match="kind must be one of auto, exact"):
        make_index("annoy", 2)
    with pytest.raises(IndexStateError, match="dim must be"):
        make_index("flat", 0)
    with pytest.raises(IndexStateError, match="expected_size must be"):
        make_index("auto", 2, expected_size=0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("twin", [copy.deepcopy, lambda index: pickle.loads(pickle.dumps(index))])
def test_copies_are_independent(kind, twin):
    """Scikit-learn clones, and copies into worker processes."""
    index = make_index(kind, 2)
    index.add([[1, 0], [0, 1]], labels=[1, 2])
    other = twin(index)
    other.remove([0])
    other.add([[1, 1]])
    assert index.ids.tolist() == [0, 1]
    assert other.search([[1, 0]], k=2).ids.tolist() == [[2, 1]]


@given(seed=st.integers(0, 10**6), share=st.sampled_from([0.0, 0.001, 0.3, 0.9, 1.0]), sorted_ids=st.booleans())
@settings(max_examples=20, deadline=None)
def test_what_is_left_after_a_removal_closes_up_in_its_order(seed, share, sorted_ids):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(1, 3000))
    ids = np.arange(size) if sorted_ids else rng.permutation(size)
    vectors, kept = rng.normal(size=(size + 10, 3)), rng.random(size) >= share
    changed, fresh = ExactIndex(3), ExactIndex(3)
    changed.add(vectors[:size], ids=ids, labels=ids % 7)
    changed.remove(ids[~kept])
    fresh.add(vectors[:size][kept], ids=ids[kept], labels=ids[kept] % 7)
    for _ in range(2):
        np.testing.assert_array_equal(changed.ids, fresh.ids)
        np.testing.assert_array_equal(changed.reconstruct(fresh.ids), fresh.reconstruct(fresh.ids))
        np.testing.assert_array_equal(changed.labels_of(fresh.ids), fresh.labels)
        for one in (changed, fresh):
            one.add(vectors[size:], ids=np.arange(size, size + 10), labels=np.zeros(10, int))
            one.remove(np.arange(size, size + 9))
        size, vectors = size + 10, np.vstack([vectors, vectors[-10:]])
