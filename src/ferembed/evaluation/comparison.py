"""Two systems on the same images: McNemar's test, and each figure's difference with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferembed.evaluation.bootstrap import RESAMPLES, interval, resampled_means
from ferembed.evaluation.calibration import squared_calibration_difference
from ferembed.evaluation.intervals import Interval, mean_interval, p_value, share_difference
from ferembed.evaluation.metrics import Metrics, judge, measure
from ferembed.evaluation.ranking import auroc_difference
from ferembed.evaluation.retrieval import SHARES, RetrievalMetrics, Retrieved, retrieval_metrics
from ferembed.probability import Codes, Floats, most_probable


@dataclass(frozen=True)
class McNemar:
    """McNemar's test of two systems' answers to the same images (McNemar 1947).

    Attributes
    ----------
    both, only_first, only_second, neither : int
        Images that both, one or none of the systems names rightly.
    p_value : float
        Two-sided mid-p value of the binomial test that each system is as often the only one right. It keeps the level
        at small counts without the exact test's loss of power (Fagerland, Lydersen and Laake 2013).
    p_exact : float
        The exact two-sided value.
    """

    both: int
    only_first: int
    only_second: int
    neither: int
    p_value: float
    p_exact: float


@dataclass(frozen=True)
class Difference:
    """One figure of two systems on the same images.

    Attributes
    ----------
    first, second : float or None
    difference : float or None
        ``second - first``; None where either is undefined.
    interval : Interval or None
        Its 95% interval: of shares by Bonett and Price (2012), of balanced accuracies from the classes' shares
        (:func:`mean_interval`), of AUROC by DeLong et al. (1988), of squared calibration errors by the normal
        distribution of their bins' means, of the others over images drawn again, the same for both systems. None where
        none is known to hold the truth as often as it says (``ece``), and where all resamples or both orders are alike.
    p_value : float or None
        Two-sided; None without an interval. Of resampled figures twice the share of resamples in which the difference
        is on the other side of 0 or on it, at most 1 and no less than 2 / (resamples + 1); of the others the value that
        agrees with the interval (:func:`p_value`).
    """

    first: float | None
    second: float | None
    difference: float | None
    interval: Interval | None = None
    p_value: float | None = None


@dataclass(frozen=True)
class PairedMetrics:
    """What :func:`compare_probabilities` measures."""

    first: Metrics
    second: Metrics
    mcnemar: McNemar
    differences: dict[str, Difference]
    count: int

    def to_dict(self) -> dict[str, Any]:
        """All figures as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class PairedRetrieval:
    """What :func:`compare_retrieval` measures."""

    first: RetrievalMetrics
    second: RetrievalMetrics
    differences: dict[str, Difference]
    count: int

    def to_dict(self) -> dict[str, Any]:
        """All figures as JSON values."""
        return asdict(self)


def mcnemar(first_right: ArrayLike, second_right: ArrayLike) -> McNemar:
    """Whether two systems are right equally often, from the images that only one of them names rightly.

    Parameters
    ----------
    first_right, second_right : array-like of bool, shape (n,)

    Raises
    ------
    ValueError
        If the lengths differ or there is no image.

    Examples
    --------
    >>> test = mcnemar([True] * 9 + [False], [True] * 4 + [False] * 6)
    >>> test.only_first, test.only_second, round(test.p_exact, 5), round(test.p_value, 5)
    (5, 0, 0.0625, 0.03125)
    """
    from scipy.stats import binom

    a, b = np.asarray(first_right, dtype=bool), np.asarray(second_right, dtype=bool)
    if a.ndim != 1 or a.shape != b.shape or not a.size:
        raise ValueError(f"Need the answers of two systems to the same images; got shapes {a.shape} and {b.shape}.")
    only_first, only_second = int((a & ~b).sum()), int((~a & b).sum())
    fewer, either = min(only_first, only_second), only_first + only_second
    exact = min(1.0, 2 * float(binom.cdf(fewer, either, 0.5)))
    middle = 2 * float(binom.cdf(fewer, either, 0.5) - 0.5 * binom.pmf(fewer, either, 0.5))
    return McNemar(int((a & b).sum()), only_first, only_second, int((~a & ~b).sum()), min(1.0, middle), exact)


def compare_probabilities(
    y_true: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    classes: Sequence[Any],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> PairedMetrics:
    """Measure two systems on the same images, each alone and the second against the first.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        True classes, as they are named in ``classes``.
    first, second : array-like of float, shape (n, c)
        Each row a distribution.
    classes : sequence of length c
        The class of each column.
    resamples, seed : int
        As for :func:`evaluate_probabilities`; 1 resample or more.

    Raises
    ------
    ValueError
        If ``resamples`` is below 1, or as :func:`evaluate_probabilities` does.
    """
    if resamples < 1:
        raise ValueError(f"a comparison needs one resample or more; got {resamples}.")
    a, b = (judge(y_true, each, classes, resamples, seed) for each in (first, second))
    one, two = measure(a, classes), measure(b, classes)
    right = most_probable(a.proba) == a.codes, most_probable(b.proba) == b.codes
    parts = b.ranked.macro_parts - a.ranked.macro_parts
    bounds = {
        "accuracy": difference_of_shares(*right),
        "top2_accuracy": difference_of_shares(a.top2, b.top2),
        "balanced_accuracy": _difference_of_recalls(*right, a.codes),
        "auroc": None if one.auroc is None or two.auroc is None else auroc_difference(two.auroc - one.auroc, parts),
        "ece": None,
        "squared_ce": squared_calibration_difference(a.gaps, b.gaps),
    }
    return PairedMetrics(
        first=one,
        second=two,
        mcnemar=mcnemar(*right),
        differences={
            **{name: with_interval(getattr(one, name), getattr(two, name), each) for name, each in bounds.items()},
            **{
                name: with_resamples(getattr(one, name), getattr(two, name), b.drawn[name] - a.drawn[name])
                for name in ("macro_f1", "nll", "brier")
            },
        },
        count=one.count,
    )


def compare_retrieval(
    first: Retrieved, second: Retrieved, *, resamples: int = RESAMPLES, seed: int = 0
) -> PairedRetrieval:
    """Measure how two embeddings retrieve, each alone and the second against the first.

    Parameters
    ----------
    first, second : Retrieved
        As :func:`retrieve` gives them, of the same queries; each may have asked a gallery of its own.
    resamples, seed : int
        As for :func:`compare_probabilities`.

    Raises
    ------
    ValueError
        If the numbers of queries differ.
    """
    one, two = (retrieval_metrics(each, resamples=resamples, seed=seed) for each in (first, second))
    if one.count != two.count:
        raise ValueError(f"Need two embeddings of the same queries; got {one.count} and {two.count}.")
    differences = {}
    for name, values in first.by_query.items():
        figures, other = (getattr(one, name), getattr(two, name)), second.by_query[name]
        if name in SHARES:
            differences[name] = with_interval(*figures, difference_of_shares(values > 0, other > 0))
        else:
            drawn = resampled_means((other - values)[:, None], resamples, seed)[:, 0]
            differences[name] = with_resamples(*figures, drawn)
    return PairedRetrieval(one, two, differences, one.count)


def difference_of_shares(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Interval:
    """The interval of how far the second share of the same rows is above the first; both of shape (n,)."""
    return share_difference(int((first & ~second).sum()), int((~first & second).sum()), len(first))


def with_interval(first: float | None, second: float | None, bounds: Interval | None) -> Difference:
    """The difference of two figures, with the p value that agrees with its interval."""
    if first is None or second is None:
        return Difference(first, second, None)
    gap = second - first
    return Difference(first, second, gap, bounds, None if bounds is None else p_value(gap, bounds))


def with_resamples(first: float, second: float, drawn: Floats) -> Difference:
    """The difference of two figures with its interval and p value from the resampled differences."""
    bounds = interval(drawn)
    if bounds is None:
        return Difference(first, second, second - first)
    below, above = int((drawn <= 0).sum()), int((drawn >= 0).sum())
    return Difference(first, second, second - first, bounds, min(1.0, 2 * (min(below, above) + 1) / (len(drawn) + 1)))


def _difference_of_recalls(first: NDArray[np.bool_], second: NDArray[np.bool_], codes: Codes) -> Interval:
    rows = [codes == code for code in np.unique(codes)]
    gains = [float(second[own].mean() - first[own].mean()) for own in rows]
    return mean_interval(gains, [difference_of_shares(first[own], second[own]) for own in rows])
