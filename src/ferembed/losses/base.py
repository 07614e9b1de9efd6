"""The frame of every loss: float32 arithmetic, a check of its inputs, a zero that keeps its graph."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from .outputs import Outputs


class Loss(nn.Module, ABC):
    """A loss of one batch: ``forward(outputs)`` gives a scalar float32 tensor.

    Subclasses write ``value``, which sees float32 tensors and runs outside autocast: exponentials of similarities
    divided by a temperature overflow or lose their small terms in half precision.
    """

    needs: tuple[str, ...] = ()
    """Fields of ``Outputs``, besides embeddings and labels, that must be given."""

    def forward(self, outputs: Outputs) -> Tensor:
        """The loss of a batch; a zero with a graph where the batch holds nothing to learn from.

        Raises
        ------
        ValueError
            If a field of ``outputs`` that the loss needs is None.
        """
        for field in self.needs:
            if getattr(outputs, field) is None:
                raise ValueError(f"{type(self).__name__} needs {field!r}, which this batch's outputs do not have.")
        if len(outputs) == 0:
            return zero_of(outputs.embeddings.float())
        with torch.autocast(outputs.embeddings.device.type, enabled=False):
            return self.value(outputs.float())

    @abstractmethod
    def value(self, outputs: Outputs) -> Tensor:
        """The loss of float32 outputs of at least one image."""


def zero_of(tensor: Tensor) -> Tensor:
    """A scalar zero that depends on ``tensor``, so that ``backward`` works where nothing contributed."""
    return (tensor * 0).sum()


def mean_of(values: Tensor, kept: Tensor) -> Tensor:
    """Mean of the values where ``kept``; zero, with a graph, where none is.

    >>> mean_of(torch.tensor([1.0, 5.0, 3.0]), torch.tensor([True, False, True]))
    tensor(2.)
    """
    return torch.where(kept, values, 0).sum() / kept.sum().clamp(min=1)


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Mean of the values by weights of 0 or more; zero, with a graph, where all weights are 0.

    >>> weighted_mean(torch.tensor([1.0, 5.0, 3.0]), torch.tensor([1.0, 0.0, 3.0]))
    tensor(2.5000)
    """
    total = weights.sum()
    return (values * weights).sum() / torch.where(total > 0, total, 1)
