"""What validation looks at in an embedding: how well it votes and retrieves, and whether it is collapsing."""

from __future__ import annotations

import torch
from torch import Tensor

K = 30
TEMPERATURE = 0.05
MARGIN = 0.2
TRIPLET_SAMPLE = 192


def embedding_figures(queries: Tensor, labels: Tensor, gallery: Tensor, gallery_labels: Tensor) -> dict[str, Tensor]:
    """Figures of query embeddings (q, d) against gallery embeddings (g, d), all unit vectors.

    Returns
    -------
    dict of str to scalar Tensor
        ``knn_accuracy`` of the soft vote of 30 neighbours; ``recall_at_1`` and ``map_at_r`` (Musgrave et al. 2020), in
        0 to 1; ``spread``, the variance of the queries on the sphere, 0 where all are one point and 1 where they cancel
        out; ``distance_within`` and ``distance_between``, the mean Euclidean distances of pairs of one class and of
        two, averaged over classes; ``active_triplets``, the share of triplets among some of the queries whose negative
        is not farther than the positive by 0.2.
    """
    similarity = queries @ gallery.T
    votes = _soft_vote(similarity, gallery_labels)
    recall_at_1, map_at_r = retrieval(similarity, labels, gallery_labels)
    within, between = class_distances(queries, labels)
    return {
        "knn_accuracy": (votes.argmax(dim=1) == labels).float().mean(),
        "recall_at_1": recall_at_1,
        "map_at_r": map_at_r,
        "spread": 1 - queries.mean(dim=0).square().sum(),
        "distance_within": within,
        "distance_between": between,
        "active_triplets": active_triplets(queries[:TRIPLET_SAMPLE], labels[:TRIPLET_SAMPLE]),
    }


def soft_vote(queries: Tensor, gallery: Tensor, labels: Tensor) -> Tensor:
    """Votes (q, c) of the nearest gallery faces, weighted by the softmax of their similarity; rows sum to 1."""
    return _soft_vote(queries @ gallery.T, labels)


def _soft_vote(similarity: Tensor, labels: Tensor) -> Tensor:
    nearest, rows = similarity.topk(min(K, len(labels)), dim=1)
    votes = similarity.new_zeros(len(similarity), int(labels.max()) + 1)
    return votes.scatter_add_(1, labels[rows], (nearest / TEMPERATURE).softmax(dim=1))


def retrieval(similarity: Tensor, labels: Tensor, gallery_labels: Tensor) -> tuple[Tensor, Tensor]:
    """Recall at 1, and mean average precision at R, where R is the number of gallery faces of the query's class.

    Queries whose class the gallery lacks are left out of the second; with none left it is 0.
    """
    relevant = labels[:, None] == gallery_labels[None]
    order = similarity.argsort(dim=1, descending=True)
    hits = relevant.gather(1, order).float()
    r = relevant.sum(dim=1)
    rank = torch.arange(1, hits.shape[1] + 1, device=hits.device)
    precision = hits.cumsum(dim=1) / rank
    average = (precision * hits * (rank <= r[:, None])).sum(dim=1) / r.clamp(min=1)
    known = r > 0
    return hits[:, 0].mean(), average[known].mean() if known.any() else average.new_zeros(())


def class_distances(embeddings: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean distance of pairs within a class and of pairs of two, each averaged over classes; 0 without pairs."""
    distance = torch.cdist(embeddings, embeddings)
    same = labels[:, None] == labels[None]
    other_self = ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    means = [_mean_by_class(distance, labels, mask) for mask in (same & other_self, ~same)]
    return means[0], means[1]


def _mean_by_class(distance: Tensor, labels: Tensor, pairs: Tensor) -> Tensor:
    sums = distance.new_zeros(int(labels.max()) + 1).index_add_(0, labels, (distance * pairs).sum(dim=1))
    counts = distance.new_zeros(len(sums)).index_add_(0, labels, pairs.sum(dim=1).float())
    present = counts > 0
    return (sums[present] / counts[present]).mean() if present.any() else distance.new_zeros(())


def active_triplets(embeddings: Tensor, labels: Tensor) -> Tensor:
    """Share of all triplets whose negative is not farther from the anchor than the positive by the margin of 0.2."""
    distance = torch.cdist(embeddings, embeddings)
    same = labels[:, None] == labels[None]
    positive = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    triplets = positive[:, :, None] & ~same[:, None, :]
    active = triplets & (distance[:, :, None] + MARGIN > distance[:, None, :])
    return active.sum() / triplets.sum().clamp(min=1)
