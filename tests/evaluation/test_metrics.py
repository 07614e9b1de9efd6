"""Metrics against loops, scikit-learn and known answers."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from ferembed.evaluation import (
    adaptive_calibration_error,
    auroc,
    evaluate_probabilities,
    expected_calibration_error,
    reliability_curve,
    risk_coverage_curve,
)

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
    assert read["per_class"]["b"] == {"recall": None, "precision": 0.0, "f1": 0.0, "support": 0, "intervals": {}}
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
