"""Resampled figures and comparisons against loops, scipy and simulated truths."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from ferembed.evaluation import bootstrap, compare_probabilities, evaluate_probabilities, mcnemar

CLOSED_FORM = {"accuracy", "top2_accuracy", "balanced_accuracy", "auroc", "squared_ce"}
RESAMPLED = {"macro_f1", "nll", "brier"}
NAMES = ["angry", "happy", "sad"]


def answers(seed, n=60, c=3):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(c), n), rng.integers(0, c, n)


@settings(max_examples=15)
@given(seed=st.integers(0, 1000), n=st.integers(1, 40))
def test_every_resample_is_the_figure_of_the_images_it_drew(seed, n):
    proba, codes = answers(seed, n)
    drawn = bootstrap.resampled_figures(proba, codes, 8, seed)
    counts = np.concatenate(list(bootstrap.draw_counts(n, 8, seed))).astype(int)
    assert (counts.sum(axis=1) == n).all()
    assert set(drawn) == {*RESAMPLED, "f1"}
    for b, times in enumerate(counts):
        rows = np.repeat(np.arange(n), times)
        alone = evaluate_probabilities(np.array(NAMES)[codes[rows]], proba[rows], NAMES)
        for name in RESAMPLED:
            assert drawn[name][b] == pytest.approx(getattr(alone, name), abs=1e-9), name
        for f1, (name, each) in zip(drawn["f1"][b], alone.per_class.items(), strict=True):
            occurs = each.support or each.precision is not None
            assert f1 == pytest.approx(each.f1 if occurs else math.nan, nan_ok=True), name


def test_means_leave_undefined_values_out():
    values = np.array([[1.0, math.nan], [3.0, 5.0], [8.0, 7.0]])
    counts = np.concatenate(list(bootstrap.draw_counts(3, 200, 4)))
    for row, mean in zip(counts, bootstrap.resampled_means(values, 200, 4), strict=True):
        assert mean[0] == pytest.approx(row @ values[:, 0] / 3)
        rest = row[1] + row[2]
        expected = (row[1] * 5 + row[2] * 7) / rest if rest else math.nan
        assert mean[1] == pytest.approx(expected, nan_ok=True)


def test_blocks_bound_the_memory_and_change_nothing_they_should_not(monkeypatch):
    monkeypatch.setattr(bootstrap, "_BLOCK", 200)
    blocks = list(bootstrap.draw_counts(50, 10, 0))
    assert [len(block) for block in blocks] == [4, 4, 2]
    assert all((block.sum(axis=1) == 50).all() for block in blocks)


def test_intervals_surround_their_figures_and_repeat_with_the_seed():
    proba, codes = answers(3, 500)
    truth = np.array(NAMES)[codes]
    measured = evaluate_probabilities(truth, proba, NAMES, resamples=400, seed=1)
    again = evaluate_probabilities(truth, proba, NAMES, resamples=400, seed=1)
    other = evaluate_probabilities(truth, proba, NAMES, resamples=400, seed=2)
    assert measured == again
    assert measured.intervals != other.intervals
    assert set(measured.intervals) == {*CLOSED_FORM, *RESAMPLED}
    for name in measured.intervals:
        low, high = measured.intervals[name]
        assert low < getattr(measured, name) < high
    for metrics in measured.per_class.values():
        for name in ("recall", "precision", "f1", "auroc"):
            assert metrics.intervals[name].low < getattr(metrics, name) < metrics.intervals[name].high
    assert json.loads(json.dumps(measured.to_dict()))["intervals"]["accuracy"] == list(measured.intervals["accuracy"])


def test_more_images_narrow_the_interval_as_their_square_root():
    def width(n):
        proba, codes = answers(5, n)
        bounds = evaluate_probabilities(np.array(NAMES)[codes], proba, NAMES, resamples=1000).intervals["accuracy"]
        return bounds.high - bounds.low

    assert width(400) / width(6400) == pytest.approx(4.0, rel=0.2)


def test_where_all_resamples_are_alike_they_say_nothing():
    assert bootstrap.interval(np.full(50, 0.3) + np.arange(50) % 2 * 1e-16) is None
    assert bootstrap.interval(np.full(50, math.nan)) is None


def test_a_thousand_resamples_are_drawn_together_not_one_after_the_other(calls_of):
    proba, codes = answers(0, 300, 7)
    few, many = (calls_of(evaluate_probabilities, codes, proba, range(7), resamples=count) for count in (10, 1000))
    assert many < 1.1 * few


@settings(max_examples=40)
@given(first=st.lists(st.booleans(), min_size=1, max_size=40), seed=st.integers(0, 1000))
def test_mcnemar_against_scipy_and_a_sum(first, seed):
    second = (np.random.default_rng(seed).random(len(first)) < 0.5).tolist()
    test = mcnemar(first, second)
    b = sum(x and not y for x, y in zip(first, second, strict=True))
    c = sum(y and not x for x, y in zip(first, second, strict=True))
    assert (test.only_first, test.only_second) == (b, c)
    assert test.both + test.only_first + test.only_second + test.neither == len(first)
    assert test.p_exact == pytest.approx(binomtest(b, b + c).pvalue if b + c else 1.0)
    chances = [math.comb(b + c, k) / 2 ** (b + c) for k in range(b + c + 1)]
    tail = sum(chances[: min(b, c)]) + chances[min(b, c)] / 2
    assert test.p_value == pytest.approx(2 * tail)
    swapped = mcnemar(second, first)
    assert (swapped.only_first, swapped.only_second, swapped.p_value) == (c, b, test.p_value)


def test_mcnemar_refuses_other_images():
    with pytest.raises(ValueError, match=r"shapes \(2,\) and \(1,\)"):
        mcnemar([True, False], [True])


def test_a_system_does_not_differ_from_itself():
    proba, codes = answers(1)
    paired = compare_probabilities(codes, proba, proba, range(3), resamples=100)
    assert paired.mcnemar.p_value == 1.0
    for name, gap in paired.differences.items():
        assert gap.difference == 0
        if gap.interval is not None:
            assert gap.interval.low < 0 < gap.interval.high, name
            assert gap.p_value == 1.0, name
    assert {name for name, gap in paired.differences.items() if gap.interval is None} == {*RESAMPLED, "auroc", "ece"}


def test_pairs_tell_apart_what_intervals_alone_cannot():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, 400)
    first = np.where(rng.random(400)[:, None] < 0.7, np.eye(3)[codes], np.eye(3)[(codes + 1) % 3]) * 0.7 + 0.1
    second = first.copy()
    mended = np.flatnonzero(first.argmax(axis=1) != codes)[:20]
    second[mended] = np.eye(3)[codes[mended]] * 0.7 + 0.1
    paired = compare_probabilities(codes, first, second, range(3))
    assert paired.first.intervals["accuracy"].high > paired.second.intervals["accuracy"].low
    gain = paired.differences["accuracy"]
    assert gain.difference == pytest.approx(20 / 400)
    assert gain.interval.low > 0
    assert gain.p_value < 0.01
    assert paired.mcnemar.only_second == 20
    assert paired.mcnemar.only_first == 0
    back = compare_probabilities(codes, second, first, range(3)).differences
    for name, gap in paired.differences.items():
        if gap.interval is not None:
            assert back[name].interval == pytest.approx((-gap.interval.high, -gap.interval.low)), name
            assert back[name].p_value == pytest.approx(gap.p_value), name
    json.dumps(paired.to_dict(), allow_nan=False)


def test_equal_systems_seldom_differ():
    called = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        codes = np.zeros(150, int)
        first, second = (np.where(rng.random(150)[:, None] < 0.6, [0.9, 0.1], [0.1, 0.9]) for _ in range(2))
        called += (
            compare_probabilities(codes, first, second, [0, 1], resamples=200).differences["accuracy"].p_value < 0.05
        )
    assert called <= 12


def test_bootstrap_refuses_nothing_to_draw():
    with pytest.raises(ValueError, match="one image and one resample or more; got 0 and 5"):
        next(bootstrap.draw_counts(0, 5, 0))
