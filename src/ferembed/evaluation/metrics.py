"""One honest row of figures for a classifier's probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferembed.evaluation.bootstrap import interval, resampled_figures
from ferembed.evaluation.calibration import CalibrationGaps, calibration_gaps
from ferembed.evaluation.calibration import adaptive_calibration_error as adaptive_error
from ferembed.evaluation.calibration import expected_calibration_error as expected_error
from ferembed.evaluation.intervals import Interval, f1_interval, mean_interval, share_interval
from ferembed.evaluation.ranking import OneAgainstRest, among_two, auroc_interval, one_against_rest
from ferembed.probability import Codes, Floats, as_probabilities, class_codes, log_loss, most_probable


@dataclass(frozen=True)
class ClassMetrics:
    """How one class fares.

    Attributes
    ----------
    recall : float or None
        Share of the class's rows that are called by its name; None where it has no rows.
    precision : float or None
        Share of the rows called by its name that are of it; None where there are none.
    f1 : float
        Harmonic mean of the two, 0 where nothing is right.
    auroc : float or None
        The probability that a row of the class gets a higher probability of it than another row, ties counting half;
        None where all rows or none are of the class.
    support : int
        Rows of the class.
    intervals : dict of str to Interval
        95% intervals of ``recall`` among the class's rows, ``precision`` among the rows called by its name and ``f1``,
        where they were asked for and are defined: of Clopper and Pearson (1934), so that 0 and 1 have a width, too.
        That of ``auroc`` is DeLong's (1988), which has none at 0 and 1.
    """

    recall: float | None
    precision: float | None
    f1: float
    auroc: float | None
    support: int
    intervals: dict[str, Interval] = field(default_factory=dict)


@dataclass(frozen=True)
class Metrics:
    """What :func:`evaluate_probabilities` measures. Shares and errors lie in 0 to 1.

    Attributes
    ----------
    accuracy : float
        Share of rows whose most probable class is the true one. The primary metric.
    top2_accuracy : float
        Share of rows whose true class is one of the two most probable.
    balanced_accuracy : float
        Mean recall of the classes that occur.
    macro_f1 : float
        Mean F1 of the classes that occur, as truth or as answer.
    auroc : float or None
        Mean of the classes' AUROC, each against the rest, over the classes that occur; None where one alone does.
    nll : float
        Mean negative log-likelihood of the true class, in nats; probabilities below 1e-12 count as that.
    brier : float
        Mean squared distance between the probabilities and the true class's indicator, summed over classes: 0 to 2
        (Brier 1950).
    ece, ece_mass : float
        Expected calibration error of the most probable class over 15 bins of equal width, and of equal mass.
    squared_ce : float or None
        Squared calibration error of the most probable class over 15 bins of equal mass, without the bias by which the
        others are too large for few rows (:func:`squared_calibration_error`); its root is on their scale.
    ace : float
        Adaptive calibration error: over all classes, 15 bins of equal mass each.
    count : int
        Rows.
    per_class : dict of str to ClassMetrics
    intervals : dict of str to Interval
        95% intervals, where asked for: of ``accuracy`` and ``top2_accuracy`` by Clopper and Pearson (1934), of
        ``balanced_accuracy`` and ``macro_f1`` from those of the classes (:func:`mean_interval`), of ``auroc`` by DeLong
        et al. (1988), of ``squared_ce`` by the normal distribution of its bins' means, of ``nll`` and ``brier`` by
        bootstrap, unless all resamples are alike. ``ece``, ``ece_mass`` and ``ace`` have none: they are biased upward,
        the more so the fewer the rows, and their whole interval would often lie above the truth.
    """

    primary: ClassVar[str] = "accuracy"

    accuracy: float
    top2_accuracy: float
    balanced_accuracy: float
    macro_f1: float
    auroc: float | None
    nll: float
    brier: float
    ece: float
    ece_mass: float
    squared_ce: float | None
    ace: float
    count: int
    per_class: dict[str, ClassMetrics]
    intervals: dict[str, Interval] = field(default_factory=dict)

    @property
    def primary_value(self) -> float:
        """The primary metric, which selection goes by; higher is better."""
        return float(getattr(self, self.primary))

    def to_dict(self) -> dict[str, Any]:
        """All figures as JSON values, and the primary metric's name."""
        return {"primary": self.primary, **asdict(self)}


class Judged(NamedTuple):
    """What the figures of one system, and their differences from another's, are made of."""

    proba: Floats
    codes: Codes
    top2: NDArray[np.bool_]
    ranked: OneAgainstRest
    gaps: CalibrationGaps
    drawn: dict[str, Floats]
    """Of :func:`resampled_figures`; empty where no resamples were asked for."""


def evaluate_probabilities(
    y_true: ArrayLike, proba: ArrayLike, classes: Sequence[Any], *, resamples: int = 0, seed: int = 0
) -> Metrics:
    """Measure probabilities against the truth.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        True classes, as they are named in ``classes``.
    proba : array-like of float, shape (n, c)
        Each row a distribution.
    classes : sequence of length c
        The class of each column.
    resamples : int, default=0
        How many times to draw the rows again for those 95% intervals that need it; 1,000 are enough. 0: none.
    seed : int, default=0
        Of these draws.

    Returns
    -------
    Metrics

    Raises
    ------
    ValueError
        If there is no row, one class only, the shapes disagree, a row of ``proba`` is not a distribution, or ``y_true``
        holds a class that is not in ``classes``.

    References
    ----------
    Brier (1950), Verification of forecasts expressed in terms of probability, Monthly Weather Review.
    Clopper and Pearson (1934), The use of confidence or fiducial limits, Biometrika.
    DeLong, DeLong and Clarke-Pearson (1988), Comparing the areas under two or more correlated ROC curves, Biometrics.
    Guo et al. (2017), On calibration of modern neural networks, ICML.
    Kumar, Liang and Ma (2019), Verified uncertainty calibration, NeurIPS.
    Nixon et al. (2019), Measuring calibration in deep learning, CVPR workshops.

    Examples
    --------
    >>> metrics = evaluate_probabilities(["sad", "happy"], [[0.5, 0.5], [0.75, 0.25]], ["happy", "sad"])
    >>> metrics.accuracy, round(metrics.nll, 4), metrics.brier
    (0.5, 0.4904, 0.3125)
    """
    return measure(judge(y_true, proba, classes, resamples, seed), classes)


def judge(y_true: ArrayLike, proba: ArrayLike, classes: Sequence[Any], resamples: int, seed: int) -> Judged:
    """What :func:`evaluate_probabilities` measures; its arguments, and its errors."""
    if len(classes) < 2:
        raise ValueError("Answers among one class are always right: figures need two classes or more.")
    values = as_probabilities(proba)
    codes = class_codes(y_true, classes)
    if values.shape != (len(codes), len(classes)) or not len(codes):
        raise ValueError(
            f"{len(codes)} true classes among {len(classes)} need probabilities of shape "
            f"({len(codes)}, {len(classes)}), with one row or more; got {values.shape}."
        )
    return Judged(
        proba=values,
        codes=codes,
        top2=among_two(values, codes),
        ranked=one_against_rest(values, codes),
        gaps=calibration_gaps(values, codes),
        drawn=resampled_figures(values, codes, resamples, seed) if resamples else {},
    )


def measure(judged: Judged, classes: Sequence[Any]) -> Metrics:
    """The figures, with intervals where they were drawn again."""
    values, codes, top2, ranked, gaps, drawn = judged
    asked, confusion = bool(drawn), confusion_counts(codes, most_probable(values), len(classes))
    per_class = {str(name): _class_metrics(confusion, ranked, code, asked) for code, name in enumerate(classes)}
    recalls = [each.recall for each in per_class.values() if each.recall is not None]
    seen = (confusion.sum(axis=0) + confusion.sum(axis=1)) > 0
    f1 = [each.f1 for each, occurs in zip(per_class.values(), seen, strict=True) if occurs]
    bounds: dict[str, Interval | None] = {}
    if asked:
        of_class = [each.intervals for each in per_class.values()]
        bounds = {
            "accuracy": share_interval(int(np.trace(confusion)), len(codes)),
            "top2_accuracy": share_interval(int(top2.sum()), len(codes)),
            "balanced_accuracy": mean_interval(recalls, [each["recall"] for each in of_class if "recall" in each]),
            "macro_f1": mean_interval(f1, [each["f1"] for each in of_class if "f1" in each], drawn["f1"][:, seen]),
            "auroc": auroc_interval(ranked.macro, ranked.macro_parts),
            "nll": interval(drawn["nll"]),
            "brier": interval(drawn["brier"]),
            "squared_ce": gaps.interval(),
        }
    return Metrics(
        accuracy=float(np.trace(confusion) / len(codes)),
        top2_accuracy=float(top2.mean()),
        balanced_accuracy=float(np.mean(recalls)),
        macro_f1=float(np.mean(f1)),
        auroc=ranked.macro,
        nll=log_loss(values, codes),
        brier=brier_score(values, codes),
        ece=expected_error(values, codes),
        ece_mass=expected_error(values, codes, binning="mass"),
        squared_ce=gaps.error,
        ace=adaptive_error(values, codes),
        count=len(codes),
        per_class=per_class,
        intervals=_defined(bounds),
    )


def brier_score(proba: Floats, codes: Codes) -> float:
    """Mean over rows of the squared distance to the true class's indicator, summed over classes; 0 to 2.

    Examples
    --------
    >>> brier_score(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0, 1]))
    1.0
    """
    indicator = np.eye(proba.shape[1])[codes]
    return float(((proba - indicator) ** 2).sum(axis=1).mean())


def confusion_counts(truth: Codes, answers: Codes, count: int) -> NDArray[np.int64]:
    """How often each class (row) was called by each name (column), shape ``(c, c)``.

    Examples
    --------
    >>> confusion_counts(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    counts = np.bincount(truth * count + answers, minlength=count * count)
    return counts.reshape(count, count).astype(np.int64)


def _class_metrics(confusion: NDArray[np.int64], ranked: OneAgainstRest, code: int, asked: bool) -> ClassMetrics:
    auroc = None if np.isnan(ranked.by_class[code]) else float(ranked.by_class[code])
    right, support, called = int(confusion[code, code]), int(confusion[code].sum()), int(confusion[:, code].sum())
    bounds: dict[str, Interval | None] = {}
    if asked:
        bounds = {
            "recall": share_interval(right, support),
            "precision": share_interval(right, called),
            "f1": f1_interval(right, support, called),
            "auroc": auroc_interval(auroc, ranked.parts[:, code]),
        }
    return ClassMetrics(
        recall=right / support if support else None,
        precision=right / called if called else None,
        f1=2 * right / (support + called) if support + called else 0.0,
        auroc=auroc,
        support=support,
        intervals=_defined(bounds),
    )


def _defined(bounds: dict[str, Interval | None]) -> dict[str, Interval]:
    return {name: each for name, each in bounds.items() if each is not None}
