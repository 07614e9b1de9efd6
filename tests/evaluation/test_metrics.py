"""Metrics against loops, scikit-learn and known answers."""

import json
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn import metrics as sk

from ferembed.evaluation import (
    adaptive_calibration_error,
    auroc,
    compare_probabilities,
    evaluate_probabilities,
    expected_calibration_error,
    reliability_curve,
    risk_coverage_curve,
)
from ferembed.evaluation.ranking import auroc_difference, auroc_interval, one_against_rest

CLASSES = ["angry", "happy", "sad", "neutral"]


@st.composite
def answers(draw):
    n, c = draw(st.integers(1, 60)), draw(st.integers(2, 4))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    proba = rng.dirichlet(np.ones(c), n)
    if draw(st.booleans()):
        proba = rng.multinomial(4, rng.dirichlet(np.ones(c)), n) / 4
    return proba, rng.integers(0, c, n)


def ece_by_loop(proba, codes, bins):
    """Expected calibration error as it is written down in Guo et al. (2017)."""
    total = 0.0
    for m in range(1, bins + 1):
        members = []
        for row, code in zip(proba, codes, strict=True):
            confidence = max(row)
            if (m - 1) / bins < confidence <= m / bins:
                members.append((confidence, float(list(row).index(confidence) == code)))
        if members:
            total += abs(sum(s for s, _ in members) - sum(r for _, r in members))
    return total / len(proba)


@settings(max_examples=80)
@given(data=answers(), bins=st.sampled_from([1, 5, 15]))
def test_equal_width_error_against_a_loop(data, bins):
    proba, codes = data
    assert expected_calibration_error(proba, codes, bins) == pytest.approx(ece_by_loop(proba, codes, bins), abs=1e-9)


@settings(max_examples=80)
@given(data=answers())
def test_figures_against_loops_and_scikit_learn(data):
    proba, codes = data
    names = np.array(CLASSES[: proba.shape[1]])
    said = proba.argmax(axis=1)
    ours = evaluate_probabilities(names[codes], proba, names)
    assert ours.accuracy == pytest.approx(sk.accuracy_score(codes, said))
    assert ours.balanced_accuracy == pytest.approx(np.mean([(said[codes == c] == c).mean() for c in set(codes)]))
    assert ours.macro_f1 == pytest.approx(sk.f1_score(codes, said, average="macro", zero_division=0))
    nll = -sum(math.log(max(row[code], 1e-12)) for row, code in zip(proba, codes, strict=True)) / len(codes)
    assert ours.nll == pytest.approx(nll)
    brier = 0.0
    for row, code in zip(proba, codes, strict=True):
        brier += sum((p - (place == code)) ** 2 for place, p in enumerate(row))
    assert ours.brier == pytest.approx(brier / len(codes))
    for code, name in enumerate(names):
        of_it, called = codes == code, said == code
        found = ours.per_class[name]
        assert found.support == of_it.sum()
        assert found.recall == (pytest.approx((of_it & called).sum() / of_it.sum()) if of_it.any() else None)
        assert found.precision == (pytest.approx((of_it & called).sum() / called.sum()) if called.any() else None)


@settings(max_examples=60)
@given(data=answers())
def test_auroc_and_two_guesses_against_scikit_learn(data):
    proba, codes = data
    names = CLASSES[: proba.shape[1]]
    ours = evaluate_probabilities(np.array(names)[codes], proba, names)
    for code, name in enumerate(names):
        one_kind = len(set((codes == code).tolist())) == 1
        expected = None if one_kind else pytest.approx(sk.roc_auc_score(codes == code, proba[:, code]))
        assert ours.per_class[name].auroc == expected
    defined = [each.auroc for each in ours.per_class.values() if each.auroc is not None]
    assert ours.auroc == (pytest.approx(np.mean(defined)) if defined else None)
    assert ours.accuracy <= ours.top2_accuracy <= 1
    if len(names) > 2 and all(len(set(row)) == len(row) for row in proba.tolist()):
        two = sk.top_k_accuracy_score(codes, proba, k=2, labels=range(len(names)))
        assert ours.top2_accuracy == pytest.approx(two)


def test_auroc_has_the_variance_of_delong():
    """His components are, for each row, the share of the other side that it is rightly ranked against."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, 60)
    first, second = (rng.multinomial(9, [1 / 3] * 3, 60) / 9 for _ in range(2))

    def rightly(proba, code):
        own, other = proba[codes == code, code], proba[codes != code, code]
        wins = (own[:, None] > other) + 0.5 * (own[:, None] == other)
        return wins.mean(axis=1), wins.mean(axis=0)

    for code in range(3):
        above, below = rightly(first, code)
        variance = above.var(ddof=1) / len(above) + below.var(ddof=1) / len(below)
        assert (one_against_rest(first, codes).parts[:, code] ** 2).sum() == pytest.approx(variance)
        both = [np.subtract(*pair) for pair in zip(rightly(second, code), rightly(first, code), strict=True)]
        variance = sum(each.var(ddof=1) / len(each) for each in both)
        parts = one_against_rest(second, codes).parts - one_against_rest(first, codes).parts
        assert (parts[:, code] ** 2).sum() == pytest.approx(variance)


def test_auroc_of_all_classes_is_held_and_so_is_its_difference():
    """The truth by a normal score whose mean is 1 higher, or 1.5, in the true class's column."""
    truth, one, two = [norm.cdf(gap / 2**0.5) for gap in (1.0, 1.5)], 0, 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        codes, noise = np.repeat(range(3), 30), rng.normal(size=(90, 3))
        first, second = (noise + gap * np.eye(3)[codes] for gap in (1.0, 1.5))
        ranked = one_against_rest(first, codes), one_against_rest(second, codes)
        low, high = auroc_interval(ranked[0].macro, ranked[0].macro_parts)
        one += low <= truth[0] <= high
        gap = ranked[1].macro - ranked[0].macro
        low, high = auroc_difference(gap, ranked[1].macro_parts - ranked[0].macro_parts)
        two += low <= truth[1] - truth[0] <= high
    assert one >= 180
    assert two >= 180


def test_a_single_class_is_told():
    with pytest.raises(ValueError, match="figures need two classes or more"):
        evaluate_probabilities(["a", "a"], [[1.0], [1.0]], ["a"])
    rows = np.array([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]])
    alone = evaluate_probabilities(["a", "a"], rows, ["a", "b", "c"], resamples=10)
    assert (alone.auroc, alone.per_class["a"].auroc) == (None, None)
    assert "auroc" not in alone.intervals
    gap = compare_probabilities(["a", "a"], rows, rows[::-1], ["a", "b", "c"], resamples=10).differences["auroc"]
    assert (gap.first, gap.difference, gap.interval, gap.p_value) == (None, None, None, None)
    once = evaluate_probabilities(["a", "c"], rows, ["a", "b", "c"], resamples=10)
    assert once.auroc == 1.0
    assert "auroc" not in once.intervals


def test_many_classes_cost_memory_in_proportion_to_their_number():
    """One cell a pair of classes and row would take 1.1 GB."""
    rng = np.random.default_rng(0)
    proba, codes = rng.dirichlet(np.ones(200), 3500), rng.integers(0, 200, 3500)
    tracemalloc.start()
    try:
        evaluate_probabilities(codes, proba, range(200), resamples=20)
        assert tracemalloc.get_traced_memory()[1] < 200e6
    finally:
        tracemalloc.stop()


@settings(max_examples=60)
@given(n=st.integers(15, 200), seed=st.integers(0, 1000))
def test_equal_mass_bins_hold_equal_masses(n, seed):
    rng = np.random.default_rng(seed)
    curve = reliability_curve(rng.random(n), rng.random(n) < 0.5, 15, "mass")
    assert curve.count.sum() == n
    assert len(curve.count) == 15
    assert curve.count.max() - curve.count.min() <= 1


def test_equal_mass_error_against_a_loop():
    rng = np.random.default_rng(0)
    proba, codes = rng.dirichlet(np.ones(5), 300), rng.integers(0, 5, 300)
    top = sorted((max(row), float(row.argmax() == code)) for row, code in zip(proba, codes, strict=True))
    parts = [top[start : start + 20] for start in range(0, 300, 20)]
    expected = sum(abs(sum(s for s, _ in part) - sum(r for _, r in part)) for part in parts) / 300
    assert expected_calibration_error(proba, codes, 15, "mass") == pytest.approx(expected)
    by_class = []
    for code in range(5):
        ranked = sorted((row[code], float(true == code)) for row, true in zip(proba, codes, strict=True))
        parts = [ranked[start : start + 20] for start in range(0, 300, 20)]
        by_class.append(sum(abs(sum(s for s, _ in part) - sum(r for _, r in part)) for part in parts) / 300)
    assert adaptive_calibration_error(proba, codes) == pytest.approx(np.mean(by_class))


def test_known_answers():
    perfect = evaluate_probabilities(["a", "b"], np.eye(2), ["a", "b"])
    assert (perfect.accuracy, perfect.macro_f1, perfect.brier, perfect.ece, perfect.ace) == (1, 1, 0, 0, 0)
    assert perfect.nll == 0
    wrong = evaluate_probabilities(["b", "a"], np.eye(2), ["a", "b"])
    assert (wrong.accuracy, wrong.brier, wrong.ece, wrong.ece_mass) == (0, 2, 1, 1)
    assert wrong.nll == pytest.approx(-math.log(1e-12))
    uniform = evaluate_probabilities(["a", "b", "c", "c"], np.full((4, 3), 1 / 3), ["a", "b", "c"])
    assert uniform.nll == pytest.approx(math.log(3))
    assert uniform.brier == pytest.approx(2 / 3)
    assert uniform.balanced_accuracy == pytest.approx(1 / 3)


def test_calibrated_probabilities_have_a_small_error_and_sharpened_ones_a_large_one():
    rng = np.random.default_rng(0)
    proba = rng.dirichlet(np.ones(4), 20_000)
    codes = (proba.cumsum(axis=1) > rng.random((len(proba), 1))).argmax(axis=1)
    sharp = proba**4 / (proba**4).sum(axis=1, keepdims=True)
    for measure in (
        expected_calibration_error,
        adaptive_calibration_error,
        lambda p, c: expected_calibration_error(p, c, binning="mass"),
    ):
        assert measure(proba, codes) < 0.015
        assert measure(sharp, codes) > 0.08


def test_metrics_become_json_and_name_their_primary():
    measured = evaluate_probabilities(["a", "a"], [[0.6, 0.4], [0.2, 0.8]], ["a", "b"])
    read = json.loads(json.dumps(measured.to_dict(), allow_nan=False))
    assert read["primary"] == "accuracy"
    assert measured.primary_value == read["accuracy"] == 0.5
    nothing = {"recall": None, "precision": 0.0, "f1": 0.0, "auroc": None, "support": 0, "intervals": {}}
    assert read["per_class"]["b"] == nothing
    with pytest.raises(AttributeError):
        measured.accuracy = 1.0


def test_risk_coverage_against_a_loop():
    rng = np.random.default_rng(0)
    confidence, correct = rng.integers(0, 12, 80) / 12, rng.random(80) < 0.7
    curve = risk_coverage_curve(confidence, correct)
    assert len(curve.threshold) == len(set(confidence))
    area, before = 0.0, 0.0
    for threshold, coverage, risk in zip(curve.threshold, curve.coverage, curve.risk, strict=True):
        answered = confidence >= threshold
        assert coverage == pytest.approx(answered.mean())
        assert risk == pytest.approx(1 - correct[answered].mean())
        area += (coverage - before) * risk
        before = coverage
    assert curve.aurc == pytest.approx(area)
    assert curve.coverage[-1] == 1.0
    assert curve.risk[-1] == pytest.approx(1 - correct.mean())


def test_a_better_order_has_a_smaller_area():
    correct = np.array([True] * 8 + [False] * 2)
    rising = np.arange(10)
    assert risk_coverage_curve(-rising, correct).aurc < risk_coverage_curve(rising, correct).aurc


def test_auroc_counts_pairs():
    rng = np.random.default_rng(0)
    known, unknown = rng.integers(2, 8, 30), rng.integers(0, 6, 20)
    pairs = [1.0 if k > u else 0.5 if k == u else 0.0 for k in known for u in unknown]
    assert auroc(known, unknown) == pytest.approx(np.mean(pairs))


def test_mistakes_are_told():
    with pytest.raises(ValueError, match="class 'fear' is not among the classes angry, happy"):
        evaluate_probabilities(["fear"], [[0.5, 0.5]], ["angry", "happy"])
    with pytest.raises(ValueError, match=r"need probabilities of shape \(2, 2\)"):
        evaluate_probabilities(["angry", "happy"], [[0.5, 0.5]], ["angry", "happy"])
    with pytest.raises(ValueError, match="names a class twice"):
        evaluate_probabilities(["angry"], [[0.5, 0.5]], ["angry", "angry"])
    with pytest.raises(ValueError, match="Unknown binning 'log'"):
        reliability_curve([0.5], [True], binning="log")
    with pytest.raises(ValueError, match="between 0 and 1"):
        reliability_curve([1.5], [True])
    with pytest.raises(ValueError, match="bins must be 1 or more"):
        reliability_curve([0.5], [True], bins=0)
    with pytest.raises(ValueError, match="row 1 is NaN"):
        risk_coverage_curve([0.5, np.nan], [True, False])
    with pytest.raises(ValueError, match="one known and one unknown"):
        auroc([], [1.0])
