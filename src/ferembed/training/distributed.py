"""What the processes of one run share: the embeddings of their batches, and who writes files."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from ferembed.losses import Outputs


def world_size() -> int:
    """Number of processes that train together; 1 where there is no process group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def is_first() -> bool:
    """Whether this process is the one that writes files and prints."""
    return world_size() == 1 or dist.get_rank() == 0


def wait_for_all() -> None:
    """Return once every process has come here."""
    if world_size() > 1:
        dist.barrier()


def gather_outputs(outputs: Outputs) -> Outputs:
    """The outputs of the batches of all processes, joined in the order of their ranks.

    A loss of the joined outputs sees every pair of the global batch, and has the same value in every process. Its
    gradient flows back into the process each row came from, summed over the processes: after the mean that
    distributed training takes of the parameters' gradients, they are those of one process with the whole batch.

    Parameters
    ----------
    outputs : Outputs
        Of this process's batch; every process has equally many rows and the same fields.
    """
    if world_size() == 1:
        return outputs
    outputs = outputs.float()
    values = {field.name: getattr(outputs, field.name) for field in fields(outputs)}
    return replace(outputs, **{name: _Gather.apply(value) for name, value in values.items() if value is not None})


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, mine: Tensor) -> Tensor:
        parts = [torch.empty_like(mine, memory_format=torch.contiguous_format) for _ in range(world_size())]
        dist.all_gather(parts, mine.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        return total.chunk(world_size())[dist.get_rank()]
