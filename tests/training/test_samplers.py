"""Batch samplers: coverage, proportions, seeds, ranks, and going on in the middle of an epoch."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferembed.training.batches import ClassBalancedBatches, NaturalBatches, PairBatches, hardest_negatives

FER_COUNTS = [3995, 436, 4097, 7215, 4830, 3171, 4965]
LABELS = np.random.default_rng(0).permutation(np.repeat(np.arange(7), [140, 15, 143, 252, 169, 111, 174]))


def natural(labels=LABELS, **kwargs):
    return NaturalBatches(labels, 32, **{"seed": 0, **kwargs})


def balanced(labels=LABELS, **kwargs):
    return ClassBalancedBatches(labels, 7, 4, **{"seed": 0, **kwargs})


def pairs(labels=LABELS, **kwargs):
    return PairBatches(labels, 32, **{"seed": 0, **kwargs})


every_sampler = pytest.mark.parametrize("make", [natural, balanced, pairs])


def epoch(sampler):
    return [rows.tolist() for rows in sampler]


@every_sampler
def test_length_is_the_number_of_batches(make):
    assert len(epoch(make())) == len(make()) > 10


@every_sampler
def test_seed_and_epoch_decide_everything(make):
    np.random.seed(1)  # noqa: NPY002 - the global state must not matter
    first = epoch(make())
    np.random.seed(2)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    assert epoch(make()) == first
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    assert epoch(make(seed=1)) != first


@every_sampler
def test_epochs_follow_each_other_by_themselves_or_by_number(make):
    sampler = make()
    epochs = [epoch(sampler) for _ in range(3)]
    assert epochs[0] != epochs[1] != epochs[2]
    for number in (2, 0, 1):
        sampler.set_epoch(number)
        assert epoch(sampler) == epochs[number]


@every_sampler
def test_a_broken_off_epoch_starts_again(make):
    sampler = make()
    whole = epoch(make())
    next(iter(sampler))
    assert epoch(sampler) == whole


@every_sampler
@pytest.mark.parametrize("done", [0, 1, 7])
def test_a_restored_sampler_goes_on_with_the_next_batch(make, done):
    sampler = make()
    epoch(sampler)
    sampler.set_epoch(1)
    batches = iter(sampler)
    for _ in range(done):
        next(batches)
    state = json.loads(json.dumps(sampler.state_dict()))
    rest = [rows.tolist() for rows in batches]
    resumed = make()
    resumed.load_state_dict(state)
    resumed.set_epoch(1)
    assert epoch(resumed) == rest
    assert epoch(resumed) == epoch(sampler)  # and so do the epochs after


@every_sampler
def test_a_state_taken_after_the_last_batch_leads_to_the_next_epoch(make):
    sampler = make()
    batches = iter(sampler)
    for _ in range(len(sampler)):
        next(batches)
    resumed = make()
    resumed.load_state_dict(sampler.state_dict())
    sampler.set_epoch(1)
    assert epoch(resumed) == epoch(sampler)


@every_sampler
def test_ranks_differ_and_have_equally_many_batches(make):
    ranks = [epoch(make(rank=r, world_size=3)) for r in range(3)]
    assert len({len(batches) for batches in ranks}) == 1
    for together in zip(*ranks, strict=True):
        assert len({len(rows) for rows in together}) == 1
        assert len({tuple(rows) for rows in together}) == 3
    with pytest.raises(ValueError, match=r"rank must lie in 0..2"):
        make(rank=3, world_size=3)


def test_natural_batches_hold_every_row_once():
    rows = np.concatenate(epoch(natural(drop_last=False)))
    assert sorted(rows) == list(range(len(LABELS)))
    kept = np.concatenate(epoch(natural()))
    assert len(kept) == len(set(kept)) == len(LABELS) // 32 * 32


@pytest.mark.parametrize("world_size", [2, 3, 5])
@pytest.mark.parametrize("n", [5, 31, 32, 33, 160])
def test_the_smaller_last_batch_serves_every_rank(n, world_size):
    ranks = [epoch(natural(LABELS[:n], drop_last=False, rank=r, world_size=world_size)) for r in range(world_size)]
    rows = [row for batches in ranks for batch in batches for row in batch]
    assert set(rows) == set(range(n))
    assert len(rows) - n < world_size
    assert len({tuple(map(len, batches)) for batches in ranks}) == 1


def test_two_ranks_see_the_batches_of_one_process():
    joined = [a + b for a, b in zip(*(epoch(natural(rank=r, world_size=2)) for r in range(2)), strict=True)]
    assert joined == epoch(NaturalBatches(LABELS, 64, seed=0))


def test_too_large_a_batch_says_what_fits():
    with pytest.raises(ValueError, match=r"batch of 32 cannot be filled from 10 rows; batch_size must lie in 1..10"):
        natural(LABELS[:10])


def test_balanced_batches_are_p_classes_of_k_images():
    for rows in ClassBalancedBatches(LABELS, 5, 4, seed=0):
        groups = LABELS[rows].reshape(5, 4)
        assert (groups == groups[:, :1]).all()
        assert len(np.unique(groups)) == 5
        assert len(np.unique(rows)) == 20


@pytest.mark.parametrize("p", [2, 4, 7])
@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_classes_come_in_tempered_proportion(exponent, p):
    labels = np.repeat(np.arange(7), np.array(FER_COUNTS) // 10)
    sampler = ClassBalancedBatches(labels, p, 2, exponent=exponent, seed=0)
    seen = np.zeros(7)
    for _ in range(10):
        seen += np.bincount(labels[np.concatenate(epoch(sampler))], minlength=7)
    expected = np.bincount(labels) ** (1 - exponent)
    np.testing.assert_allclose(seen / seen.sum(), expected / expected.sum(), atol=0.012)


def test_every_image_of_a_class_is_used_before_any_is_used_again():
    uses = np.bincount(np.concatenate(epoch(balanced())), minlength=len(LABELS))
    for c in range(7):
        mine = uses[c == LABELS]
        assert mine.max() - mine.min() <= 1


@settings(max_examples=40)
@given(
    sizes=st.lists(st.integers(1, 30), min_size=2, max_size=6).filter(lambda s: sum(s) >= 12),
    k=st.integers(2, 6),
    exponent=st.sampled_from([0.0, 0.5, 1.0]),
    seed=st.integers(0, 5),
)
def test_an_image_comes_twice_only_where_its_class_is_too_small(sizes, k, exponent, seed):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    for rows in ClassBalancedBatches(labels, 2, k, exponent=exponent, seed=seed):
        asked = np.bincount(labels[rows], minlength=len(sizes))
        got = [len(np.unique(rows[labels[rows] == c])) for c in range(len(sizes))]
        assert got == [min(a, s) for a, s in zip(asked, sizes, strict=True)]


@pytest.mark.parametrize(("p", "k"), [(8, 4), (1, 4), (7, 1), (7, 1000), (0, 0)])
def test_impossible_p_and_k_are_answered_with_possible_ones(p, k):
    import re

    with pytest.raises(ValueError, match=rf"P={p} classes x K={k} images") as failure:
        ClassBalancedBatches(LABELS, p, k, seed=0)
    good_p, good_k = map(int, re.search(r"P=(\d+) and K=(\d+) would fit", str(failure.value)).groups())
    assert len(ClassBalancedBatches(LABELS, good_p, good_k, seed=0)) >= 1


def test_one_class_gives_no_balanced_batches():
    with pytest.raises(ValueError, match="need two classes"):
        ClassBalancedBatches(np.zeros(50, int), 2, 4, seed=0)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_pairs_have_the_chosen_share_of_positives(share):
    sampler = pairs(positive_share=share)
    same = [LABELS[rows[0::2]] == LABELS[rows[1::2]] for rows in sampler]
    assert all(abs(s.sum() - 16 * share) < 1 for s in same)
    assert abs(np.concatenate(same).sum() - share * 16 * len(sampler)) <= 1


def test_an_image_is_never_its_own_twin_and_the_first_of_one_pair_at_most():
    rows = np.concatenate(epoch(pairs(positive_share=0.8)))
    assert (rows[0::2] != rows[1::2]).all()
    assert len(np.unique(rows[0::2])) == len(rows[0::2])


def test_every_possible_partner_is_met():
    labels = np.array([0, 0, 0, 1, 1, 2])
    sampler = PairBatches(labels, 2, positive_share=0.5, seed=0)
    met = {tuple(rows.tolist()) for _ in range(600) for rows in sampler}
    possible = {(a, b) for a in range(6) for b in range(6) if a != b}
    assert met == possible


def test_an_image_alone_in_its_class_is_paired_with_others():
    labels = np.array([0, 1, 2, 3])
    for rows in PairBatches(labels, 4, positive_share=1.0, seed=0):
        assert (labels[rows[0::2]] != labels[rows[1::2]]).all()


def test_negatives_are_drawn_from_the_hard_ones_by_their_share():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(len(LABELS), 8))
    hard = hardest_negatives(points / np.linalg.norm(points, axis=1, keepdims=True), LABELS, count=5)
    for share in (0.0, 0.5, 1.0):
        sampler = pairs(positive_share=0.0, hard_share=share)
        sampler.set_hard_negatives(hard)
        rows = np.concatenate(epoch(sampler))
        assert (LABELS[rows[0::2]] != LABELS[rows[1::2]]).all()
        among = (hard[rows[0::2]] == rows[1::2][:, None]).any(axis=1).mean()
        assert among == pytest.approx(share, abs=0.08)


def test_hard_negatives_are_part_of_the_state():
    hard = hardest_negatives(np.eye(len(LABELS))[:, :8], LABELS, count=2)
    sampler = pairs()
    sampler.set_hard_negatives(hard)
    batches = iter(sampler)
    next(batches)
    resumed = pairs()
    resumed.load_state_dict(sampler.state_dict())
    assert epoch(resumed) == [rows.tolist() for rows in batches]


def test_wrong_hard_negatives_are_refused():
    with pytest.raises(ValueError, match=r"shape \(1004, h\), not \(3, 2\)"):
        pairs().set_hard_negatives(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="another class"):
        pairs().set_hard_negatives(np.arange(len(LABELS))[:, None])


@pytest.mark.parametrize(
    ("kwargs", "sentence"),
    [
        ({"batch_size": 7}, "batch_size must be even"),
        ({"positive_share": 1.2}, "positive_share must lie between 0 and 1"),
        ({"hard_share": -0.1}, "hard_share must lie between 0 and 1"),
        ({"labels": np.zeros(50, int)}, "at least two classes"),
    ],
)
def test_impossible_pairs_say_why(kwargs, sentence):
    with pytest.raises(ValueError, match=sentence):
        PairBatches(**{"labels": LABELS, "batch_size": 32, "seed": 0, **kwargs})


@pytest.mark.parametrize("block", [3, 7, 1000])
def test_hardest_negatives_are_the_nearest_of_other_classes(block):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(40, 5))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    labels = rng.integers(0, 4, 40)
    found = hardest_negatives(points, labels, count=4, block=block)
    for i in range(40):
        others = [j for j in range(40) if labels[j] != labels[i]]
        assert found[i].tolist() == sorted(others, key=lambda j: -(points[i] @ points[j]))[:4]
    with pytest.raises(ValueError, match="count must lie in 1"):
        hardest_negatives(points, labels, count=40)
