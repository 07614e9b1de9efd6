"""A weighted sum of named losses."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .outputs import Outputs
from .specs.base import LossSpec


class CombinedLoss(nn.Module):
    """The weighted sum of several losses; it owns their parameters, such as proxies.

    Parameters
    ----------
    specs : sequence of LossSpec
        The losses; no two of one name.
    num_classes : int
        Number of classes.
    embedding_dim : int
        Length of an embedding.
    class_counts : sequence of int, optional
        Training images of each class, for the losses that correct imbalance.

    Raises
    ------
    ValueError
        If no loss is given, one is given twice, or one cannot be built for these sizes.

    Examples
    --------
    >>> from ferembed.losses import CrossEntropy, SupCon
    >>> loss = CombinedLoss([CrossEntropy(), SupCon(weight=0.5)], num_classes=3, embedding_dim=4)
    >>> batch = Outputs(torch.eye(4), torch.tensor([0, 0, 1, 2]), logits=torch.zeros(4, 3))
    >>> total, parts = loss(batch)
    >>> {name: round(part.item(), 3) for name, part in parts.items()}, round(total.item(), 3)
    ({'cross_entropy': 1.099, 'supcon': 1.099}, 1.648)
    """

    def __init__(
        self,
        specs: Sequence[LossSpec],
        *,
        num_classes: int,
        embedding_dim: int,
        class_counts: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        names = [spec.name for spec in specs]
        if not names:
            raise ValueError("A network needs at least one loss to learn from; none was given.")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"Each loss may be given once, with its weight; given again: {', '.join(twice)}.")
        self.weights = {spec.name: spec.weight for spec in specs}
        self.losses = nn.ModuleDict(
            {
                spec.name: spec.build(num_classes=num_classes, embedding_dim=embedding_dim, class_counts=class_counts)
                for spec in specs
            }
        )

    def forward(self, outputs: Outputs) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted total, with its graph, and each loss's own value, unweighted and without graph."""
        values = {name: loss(outputs) for name, loss in self.losses.items()}
        total = torch.stack([self.weights[name] * value for name, value in values.items()]).sum()
        return total, {name: value.detach() for name, value in values.items()}
