"""Intervals in closed form: what they hold, by the exact distribution of counts or by simulation."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, multinomial

from ferembed.evaluation import Interval, compare_probabilities, evaluate_probabilities
from ferembed.evaluation.intervals import f1_interval, mean_interval, p_value, share_difference, share_interval

CLASSES = list("abcdefg")


@given(of=st.integers(1, 400), data=st.data())
def test_a_share_against_scipy(of, data):
    count = data.draw(st.integers(0, of))
    exact = binomtest(count, of).proportion_ci(method="exact")
    assert share_interval(count, of) == pytest.approx((exact.low, exact.high))


@pytest.mark.parametrize("of", [5, 40, 300])
def test_a_share_is_held_ninety_five_times_in_a_hundred_whatever_it_is(of):
    bounds = np.array([share_interval(count, of) for count in range(of + 1)])
    for share in (0.001, 0.01, 0.03, 0.3, 0.5, 0.9, 0.97, 0.995):
        held = (bounds[:, 0] <= share) & (share <= bounds[:, 1])
        assert binom.pmf(np.arange(of + 1), of, share)[held].sum() >= 0.95, share


@pytest.mark.parametrize(("lost", "won"), [(0.01, 0.01), (0.05, 0.01), (0.1, 0.1), (0.3, 0.1)])
def test_a_difference_of_paired_shares_is_held(lost, won):
    counts = np.array([(b, c, 40 - b - c) for b in range(41) for c in range(41 - b)])
    chance = multinomial.pmf(counts, 40, [lost, won, 1 - lost - won])
    bounds = np.array([share_difference(b, c, 40) for b, c, _ in counts])
    held = (bounds[:, 0] <= won - lost) & (won - lost <= bounds[:, 1])
    assert chance[held].sum() >= 0.94


def answers(rng, recalls, each):
    """Probabilities of answers that are right with a chance by class, and the true columns."""
    codes = np.repeat(np.arange(len(recalls)), each)
    wrong = (codes + rng.integers(1, len(recalls), len(codes))) % len(recalls)
    said = np.where(rng.random(len(codes)) < np.array(recalls)[codes], codes, wrong)
    return 0.8 * np.eye(len(recalls))[said] + 0.2 / len(recalls), codes


def test_balanced_accuracy_and_f1_are_held_and_so_is_their_difference():
    recalls = [0.97, 0.9, 0.99, 0.95, 0.97, 0.8, 0.97]
    # Each wrong answer is as likely to name any of the other six classes.
    called = [r + sum(1 - other for other in recalls) / 6 - (1 - r) / 6 for r in recalls]
    f1 = [2 * r / (1 + c) for r, c in zip(recalls, called, strict=True)]
    one, two, by_class = 0, 0, np.zeros(7)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        (first, codes), (second, _) = answers(rng, recalls, 40), answers(rng, recalls, 40)
        paired = compare_probabilities(np.array(CLASSES)[codes], first, second, CLASSES, resamples=2)
        low, high = paired.first.intervals["balanced_accuracy"]
        one += low <= np.mean(recalls) <= high
        low, high = paired.differences["balanced_accuracy"].interval
        two += low <= 0 <= high
        bounds = np.array([each.intervals["f1"] for each in paired.first.per_class.values()])
        by_class += (bounds[:, 0] <= f1) & (f1 <= bounds[:, 1])
    assert one >= 54
    assert two >= 54
    assert by_class.mean() >= 54


def test_shares_of_none_and_of_all_have_a_width():
    codes = np.repeat(np.arange(7), 40)
    truth, right = np.array(CLASSES)[codes], 0.9 * np.eye(7)[codes] + 0.1 / 7
    perfect = evaluate_probabilities(truth, right, CLASSES, resamples=50)
    for metrics in perfect.per_class.values():
        for name in ("recall", "precision"):
            assert metrics.intervals[name] == pytest.approx((0.025 ** (1 / 40), 1.0))
        assert metrics.intervals["f1"].low < 1.0 == metrics.intervals["f1"].high
    assert perfect.intervals["accuracy"] == pytest.approx((0.025 ** (1 / 280), 1.0))
    for name in ("balanced_accuracy", "macro_f1"):
        assert perfect.intervals[name].low < 1.0 == perfect.intervals[name].high
    assert not {"nll", "brier"} & set(perfect.intervals)
    wrong = evaluate_probabilities(truth, np.roll(right, 1, axis=1), CLASSES, resamples=50)
    assert wrong.per_class["a"].intervals["recall"] == pytest.approx((0.0, 1 - 0.025 ** (1 / 40)))
    gaps = compare_probabilities(truth, right, right, CLASSES, resamples=50).differences
    for name in ("accuracy", "balanced_accuracy"):
        assert gaps[name].interval.low < 0 < gaps[name].interval.high
    assert gaps["macro_f1"].interval is None


def test_what_no_row_shows_has_no_interval():
    assert share_interval(0, 0) is None
    assert f1_interval(0, 0, 0) is None
    measured = evaluate_probabilities(["a", "a"], [[0.6, 0.4], [0.7, 0.3]], ["a", "b"], resamples=20)
    assert measured.per_class["b"].intervals == {}
    assert measured.per_class["a"].intervals["recall"].low == pytest.approx(0.025**0.5)


def test_a_mean_is_the_surer_the_less_its_figures_move_together():
    alone = [Interval(0.4, 0.6)] * 16
    assert mean_interval([0.5] * 16, alone) == pytest.approx((0.475, 0.525))
    move = np.random.default_rng(0).normal(size=(500, 1))
    assert mean_interval([0.5] * 16, alone, move.repeat(16, axis=1)) == pytest.approx((0.4, 0.6))
    against = np.hstack([move, -move] * 8)
    assert mean_interval([0.5] * 16, alone, against) == pytest.approx((0.5, 0.5))
    still = np.hstack([move, np.full((500, 1), np.nan), np.zeros((500, 2))])
    assert mean_interval([0.5] * 4, alone[:4], still) == pytest.approx((0.45, 0.55))


def test_macro_f1_is_held_where_one_class_is_rare():
    """The bootstrap alone holds it 88 times in a hundred: a class of four rows is often drawn without its mistakes."""
    shares, held = np.array([0.3, 0.3, 0.2, 0.185, 0.015]), 0
    right = np.array([0.9, 0.8, 0.7, 0.6, 0.4])
    answered = np.diag(right) + (1 - right)[:, None] * (1 - np.eye(5)) / 4
    called = shares @ answered
    truth = np.mean(2 * shares * right / (shares + called))
    for seed in range(80):
        rng = np.random.default_rng(seed)
        codes = rng.choice(5, 300, p=shares)
        said = (answered[codes].cumsum(axis=1) < rng.random((300, 1))).sum(axis=1)
        measured = evaluate_probabilities(codes, 0.8 * np.eye(5)[said] + 0.04, range(5), resamples=100)
        held += measured.intervals["macro_f1"].low <= truth <= measured.intervals["macro_f1"].high
    assert held >= 72


@given(st.floats(-1, 1), st.floats(0.001, 1), st.floats(0.001, 1))
def test_the_p_value_is_below_five_percent_where_the_interval_leaves_zero_out(difference, below, above):
    bounds = Interval(difference - below, difference + above)
    assume(min(abs(bounds.low), abs(bounds.high)) > 1e-9)
    assert (p_value(difference, bounds) < 0.05) == (bounds.low > 0 or bounds.high < 0)
