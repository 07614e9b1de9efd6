"""The torch modules that specifications are built into, and the weighted sum of several losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ferembed.losses.outputs import Outputs

if TYPE_CHECKING:
    from ferembed.losses.base import LossSpec, MinerSpec


class Loss(nn.Module):
    """A loss of one batch: ``forward(outputs)`` gives a scalar float32 tensor."""

    def __init__(self, spec: LossSpec, parts: Mapping[str, Any]) -> None:
        super().__init__()
        self.spec = spec
        self.part_names = tuple(parts)
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, outputs: Outputs) -> Tensor:
        """The loss of a batch; a zero with a graph where the batch holds nothing to learn from.

        Raises
        ------
        ValueError
            If a field of ``outputs`` that the loss needs is None.
        """
        for field in sorted(self.spec.needs):
            if getattr(outputs, field) is None:
                raise ValueError(f"{type(self.spec).__name__} needs {field!r}, which this batch's outputs do not have.")
        outputs = outputs.float()
        if len(outputs) == 0:
            return (outputs.embeddings * 0).sum()
        parts = {name: getattr(self, name) for name in self.part_names}
        with torch.autocast(outputs.embeddings.device.type, enabled=False):
            value = self.spec.value(outputs, **parts)
            if self.training:
                with torch.no_grad():
                    self.spec.update(outputs, **parts)
        return value


class Miner(nn.Module):
    """Picks the pairs or triplets of a batch that a loss shall see: row numbers, as ``MinerSpec.mine`` has them."""

    def __init__(self, spec: MinerSpec, margin: float) -> None:
        super().__init__()
        self.spec = spec
        self.margin = margin

    @torch.no_grad()
    def forward(self, embeddings: Tensor, labels: Tensor) -> tuple[Tensor, ...] | None:
        """What the specification mines."""
        return self.spec.mine(embeddings, labels, self.margin)


class WarmUp(nn.Module):
    """Mines by ``first`` for a number of training steps, and by ``then`` afterwards.

    The count is part of the state, so that a resumed run goes on where it stood; it grows in training mode only.
    """

    steps_done: Tensor

    def __init__(self, first: nn.Module, then: nn.Module, steps: int) -> None:
        super().__init__()
        self.first = first
        self.then = then
        self.steps = steps
        self.register_buffer("steps_done", torch.zeros((), dtype=torch.int64))

    def forward(self, embeddings: Tensor, labels: Tensor) -> tuple[Tensor, ...] | None:
        """What the miner picks whose turn it is."""
        miner = self.first if self.steps_done < self.steps else self.then
        if self.training:
            self.steps_done += 1
        mined: tuple[Tensor, ...] | None = miner(embeddings, labels)
        return mined


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
