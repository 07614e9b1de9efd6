"""The recogniser's voters once more, in torch: the same probabilities, with gradients back to the embeddings."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator
from torch import Tensor
from torch.nn import functional as F

from ferembed.estimators import CalibratedClassifier, KNNClassifier, SoftmaxHead, VotingEnsemble
from ferembed.estimators.calibration.maps import IsotonicCalibration, TemperatureScaling
from ferembed.estimators.held_out import encoded, spelled_as
from ferembed.estimators.knn.gallery import Gallery
from ferembed.estimators.knn.weights import CLOSEST, Weighting, counted
from ferembed.probability import FLOOR

_PRODUCTS = 2**24


@singledispatch
def vote(classifier: Any, embeddings: Tensor) -> Tensor:
    """What ``classifier.predict_proba`` gives for embeddings, differentiable.

    Gradients flow through the similarities to the neighbours; which rows are neighbours is held fixed, as it is almost
    everywhere. A vote in which all neighbours count equally (``weights="uniform"``) has no gradient. Where several rows
    are equally near, others of them may vote here. An isotonic calibration consists of steps, flat almost everywhere:
    where ``embeddings`` require a gradient it is left out, and the probabilities are those before it.

    Parameters
    ----------
    classifier : SoftmaxHead, KNNClassifier, CalibratedClassifier or VotingEnsemble
        Fitted; frozen or not. Other classifiers raise a TypeError.
    embeddings : Tensor of float, shape (n, d)
        On the CPU.

    Returns
    -------
    Tensor of float64, shape (n, c)
    """
    raise TypeError(
        f"{type(classifier).__name__} cannot be followed by gradients: a voter must be made of SoftmaxHead, "
        f"KNNClassifier, CalibratedClassifier and VotingEnsemble."
    )


@vote.register(FrozenEstimator)
def _frozen(classifier: Any, embeddings: Tensor) -> Tensor:
    return vote(classifier.estimator, embeddings)


@vote.register
def _softmax(classifier: SoftmaxHead, embeddings: Tensor) -> Tensor:
    coef, intercept = torch.from_numpy(classifier.coef_), torch.from_numpy(classifier.intercept_)
    return (embeddings.double() @ coef.T + intercept).softmax(dim=1)


@vote.register
def _knn(classifier: KNNClassifier, embeddings: Tensor) -> Tensor:
    gallery = classifier.gallery_
    similarities, rows = _neighbours(gallery, F.normalize(embeddings.float(), dim=1), gallery.reach(classifier.k_))
    weights = _weights(similarities.double(), classifier.weights, classifier.temperature_)
    if gallery.weights is not None:
        weights = weights * torch.from_numpy(counted(gallery.weights[rows], classifier.k_))
    totals = torch.einsum("nk,nkc->nc", weights, torch.from_numpy(gallery.votes[rows]).double())
    if classifier.balanced:
        totals = totals / torch.from_numpy(np.where(gallery.class_mass > 0, gallery.class_mass, 1.0))
    totals = torch.where(totals.sum(dim=1, keepdim=True) > 0, totals, 1.0)
    return _smooth(totals / totals.sum(dim=1, keepdim=True), classifier.smoothing)


@vote.register
def _calibrated(classifier: CalibratedClassifier, embeddings: Tensor) -> Tensor:
    return _calibrate(classifier.calibration_, vote(classifier.estimator_, embeddings))


@vote.register
def _ensemble(classifier: VotingEnsemble, embeddings: Tensor) -> Tensor:
    answers = []
    for member, calibration in zip(classifier.estimators_, classifier.calibrations_, strict=True):
        columns = torch.from_numpy(encoded(spelled_as(member.classes_, classifier.classes_), classifier.classes_))
        aligned = torch.zeros(len(embeddings), len(classifier.classes_), dtype=torch.float64)
        answers.append(_calibrate(calibration, aligned.index_copy(1, columns, vote(member, embeddings))))
    weights, stack = torch.from_numpy(classifier.weights_), torch.stack(answers)
    if classifier.pool == "arithmetic":
        return torch.einsum("m,mnc->nc", weights, stack)
    return torch.einsum("m,mnc->nc", weights, _log(stack)).softmax(dim=1)


def _neighbours(gallery: Gallery, queries: Tensor, count: int) -> tuple[Tensor, NDArray[np.int64]]:
    """Similarities and row numbers (n, count) of the nearest rows; minus infinity where there are too few.

    An exact index is not asked: for hundreds of neighbours of hundreds of queries one product is three times faster.
    """
    if gallery.index.kind in ("exact", "flat"):
        ids = gallery.index.ids
        vectors = torch.from_numpy(gallery.index.reconstruct(ids))
        blocks = torch.split(queries, max(1, _PRODUCTS // len(ids)))
        nearest = [(block @ vectors.T).topk(count, dim=1) for block in blocks]
        return torch.cat([each.values for each in nearest]), ids[torch.cat([each.indices for each in nearest]).numpy()]
    _, rows = gallery.search(queries.detach().numpy(), count)
    near, places = np.unique(np.where(rows >= 0, rows, rows.max()), return_inverse=True)
    neighbours = torch.from_numpy(gallery.index.reconstruct(near))[torch.from_numpy(places.reshape(rows.shape))]
    similarities = torch.einsum("nd,nkd->nk", queries, neighbours)
    return similarities.masked_fill(torch.from_numpy(rows < 0), -torch.inf), rows


def _weights(similarities: Tensor, weighting: Weighting, temperature: float) -> Tensor:
    if weighting == "softmax":
        nearest = similarities.detach().amax(dim=1, keepdim=True)
        return torch.exp((similarities - nearest) / temperature)
    if weighting == "distance":
        return torch.reciprocal(torch.clamp(1.0 - similarities, min=CLOSEST))
    return similarities.isfinite().double()


def _calibrate(calibration: Any, proba: Tensor) -> Tensor:
    if isinstance(calibration, IsotonicCalibration):
        if proba.requires_grad:
            return proba
        raised = torch.stack([_interpolate(p, *k) for p, k in zip(proba.T, calibration.knots, strict=True)], dim=1)
        return raised / raised.sum(dim=1, keepdim=True)
    logs = _log(_smooth(proba, calibration.smoothing))
    if isinstance(calibration, TemperatureScaling):
        return (logs / calibration.temperature).softmax(dim=1)
    coefficients = torch.from_numpy(calibration.coefficients)
    return (logs @ coefficients[:, :-1].T + coefficients[:, -1]).softmax(dim=1)


def _interpolate(values: Tensor, x: tuple[float, ...], y: tuple[float, ...]) -> Tensor:
    """Linear between the knots (x, y), constant outside, as NumPy's ``interp``."""
    if len(x) == 1:
        return torch.full_like(values, y[0])
    at, height = torch.tensor(x, dtype=torch.float64), torch.tensor(y, dtype=torch.float64)
    right = torch.searchsorted(at, values.detach().contiguous(), right=True).clamp(1, len(x) - 1)
    share = ((values - at[right - 1]) / (at[right] - at[right - 1])).clamp(0, 1)
    return torch.lerp(height[right - 1], height[right], share)


def _smooth(proba: Tensor, amount: float) -> Tensor:
    return (1 - amount) * proba + amount / proba.shape[1]


def _log(proba: Tensor) -> Tensor:
    return proba.clamp(min=FLOOR).log()
