"""What validation looks at in an embedding: how well it votes and retrieves, and whether it is collapsing."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ferembed import probability
from ferembed.probability import ALIKE, most_probable

K = 30
TEMPERATURE = 0.05
MARGIN = 0.2
TRIPLET_SAMPLE = 192


def embedding_figures(
    queries: Tensor, labels: Tensor, gallery: Tensor, gallery_labels: Tensor, classes: Sequence[str]
) -> dict[str, Tensor]:
    """Figures of query embeddings (q, d) against gallery embeddings (g, d), all unit vectors.

    Returns
    -------
    dict of str to scalar Tensor
        ``knn_accuracy`` of the soft vote of 30 neighbours; ``recall_at_1`` and ``map_at_r`` (Musgrave et al. 2020), in
        0 to 1; ``spread``, the variance of the queries on the sphere, 0 where all are one point and 1 where they cancel
        out; ``distance_within/CLASS`` and ``distance_between/CLASS``, the mean Euclidean distances of the class's
        queries to each other and to those of other classes, and their means over the classes, ``distance_within`` and
        ``distance_between``; ``active_triplets``, the share of triplets among some of the queries whose negative is not
        farther than the positive by 0.2.
    """
    similarity = queries @ gallery.T
    votes = _soft_vote(similarity, gallery_labels)
    recall_at_1, map_at_r = retrieval(similarity, labels, gallery_labels)
    some = slice(None, None, -(-len(queries) // TRIPLET_SAMPLE))
    within, between = class_distances(queries, labels, len(classes))
    return {
        "knn_accuracy": named_rightly(votes, labels),
        "recall_at_1": recall_at_1,
        "map_at_r": map_at_r,
        "spread": 1 - queries.mean(dim=0).square().sum(),
        "distance_within": within.nanmean(),
        "distance_between": between.nanmean(),
        **{f"distance_within/{name}": value for name, value in zip(classes, within, strict=True)},
        **{f"distance_between/{name}": value for name, value in zip(classes, between, strict=True)},
        "active_triplets": active_triplets(queries[some], labels[some]),
    }


def named_rightly(proba: Tensor, labels: Tensor) -> Tensor:
    """The share of rows (n, c) whose most probable class is the label; a scalar."""
    named = torch.from_numpy(most_probable(proba.numpy(force=True)))
    return (named == labels.cpu()).float().mean()


def soft_vote(queries: Tensor, gallery: Tensor, labels: Tensor) -> Tensor:
    """Votes (q, c) of the nearest gallery faces, weighted by the softmax of their similarity; rows sum to 1."""
    return _soft_vote(queries @ gallery.T, labels)


def _soft_vote(similarity: Tensor, labels: Tensor) -> Tensor:
    nearest, rows = similarity.topk(min(K, len(labels)), dim=1)
    return probability.soft_vote(nearest, rows, F.one_hot(labels), temperature=TEMPERATURE)


def retrieval(similarity: Tensor, labels: Tensor, gallery_labels: Tensor) -> tuple[Tensor, Tensor]:
    """Recall at 1, and mean average precision at R, where R is the number of gallery faces of the query's class.

    Of faces at the same similarity, up to rounding, those of another class count as nearer. Queries whose class the
    gallery lacks are left out of the second; with none left it is 0.
    """
    relevant = labels[:, None] == gallery_labels[None]
    order = (similarity - ALIKE * relevant).argsort(dim=1, descending=True)
    hits = relevant.gather(1, order).float()
    r = relevant.sum(dim=1)
    rank = torch.arange(1, hits.shape[1] + 1, device=hits.device)
    precision = hits.cumsum(dim=1) / rank
    average = (precision * hits * (rank <= r[:, None])).sum(dim=1) / r.clamp(min=1)
    known = r > 0
    return hits[:, 0].mean(), average[known].mean() if known.any() else average.new_zeros(())


def class_distances(embeddings: Tensor, labels: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Mean distance of each class's embeddings to each other and to those of other classes, (c,); NaN without pairs."""
    distance = torch.cdist(embeddings, embeddings)
    same = labels[:, None] == labels[None]
    other_self = ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    means = [_mean_by_class(distance, labels, mask, num_classes) for mask in (same & other_self, ~same)]
    return means[0], means[1]


def _mean_by_class(distance: Tensor, labels: Tensor, pairs: Tensor, num_classes: int) -> Tensor:
    sums = distance.new_zeros(num_classes).index_add_(0, labels, (distance * pairs).sum(dim=1))
    return sums / distance.new_zeros(num_classes).index_add_(0, labels, pairs.sum(dim=1).float())


def active_triplets(embeddings: Tensor, labels: Tensor) -> Tensor:
    """Share of all triplets whose negative is not farther from the anchor than the positive by the margin of 0.2."""
    distance = torch.cdist(embeddings, embeddings)
    same = labels[:, None] == labels[None]
    positive = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    triplets = positive[:, :, None] & ~same[:, None, :]
    active = triplets & (distance[:, :, None] + MARGIN > distance[:, None, :])
    return active.sum() / triplets.sum().clamp(min=1)
