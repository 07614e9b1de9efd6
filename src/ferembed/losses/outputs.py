"""What the network made of one batch: the one argument of every loss."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Outputs"]


@dataclass(frozen=True)
class Outputs:
    """The network's outputs for one batch of ``n`` images, with what is known about them.

    In a batch of Siamese pairs rows 0 and 1, 2 and 3, ... are twins: both went through the same network.

    Parameters
    ----------
    embeddings : Tensor of float, shape (n, d)
        Points on the unit sphere.
    labels : Tensor of int64, shape (n,)
        Class of each image; after mixup the class that has the larger share.
    logits : Tensor of float, shape (n, c), optional
        Scores of the network's softmax head.
    votes : Tensor of float, shape (n, v), optional
        Annotators' distribution for each image. Rows of zeros mark images without usable votes.
    vote_logits : Tensor of float, shape (n, v), optional
        Scores of the auxiliary head over the vote classes.
    targets : Tensor of float, shape (n, c), optional
        Distribution over the classes for each image after mixup; None where ``labels`` say everything.
    teacher_logits : Tensor of float, shape (n, c), optional
        What trained networks say of the same images, as log probabilities up to a constant.

    Examples
    --------
    >>> import torch
    >>> batch = Outputs(torch.eye(4), torch.tensor([0, 0, 1, 2]))
    >>> len(batch), batch.logits
    (4, None)
    """

    embeddings: Tensor
    labels: Tensor
    logits: Tensor | None = None
    votes: Tensor | None = None
    vote_logits: Tensor | None = None
    targets: Tensor | None = None
    teacher_logits: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def float(self) -> Outputs:
        """The same outputs with every floating-point tensor in float32."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        floating = {name: v.float() for name, v in values.items() if v is not None and v.is_floating_point()}
        return replace(self, **floating)


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Mean of the values by weights of 0 or more; zero, with a graph, where all weights are 0.

    >>> import torch
    >>> weighted_mean(torch.tensor([1.0, 5.0, 3.0]), torch.tensor([1.0, 0.0, 3.0]))
    tensor(2.5000)
    """
    total = weights.sum()
    return (values * weights).sum() / total.where(total > 0, 1)
