"""The recogniser's voters with gradients back to the embeddings: only the search is another."""

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
from ferembed.estimators.knn.gallery import Gallery

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
    return classifier.vote(similarities.double(), rows)


@vote.register
def _calibrated(classifier: CalibratedClassifier, embeddings: Tensor) -> Tensor:
    return classifier.calibration_.map(vote(classifier.estimator_, embeddings))


@vote.register
def _ensemble(classifier: VotingEnsemble, embeddings: Tensor) -> Tensor:
    return classifier.joined([vote(member, embeddings) for member in classifier.estimators_])


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
