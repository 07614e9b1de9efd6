"""What the processes of one run share: the embeddings of their batches, and who writes files."""

from __future__ import annotations

from dataclasses import fields, replace

import torch
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
    from torch.distributed.nn.functional import all_gather  # not there in a torch without distributed training

    outputs = outputs.float()
    values = {field.name: getattr(outputs, field.name) for field in fields(outputs)}
    known = {name: value.contiguous() for name, value in values.items() if value is not None}
    joined = {name: torch.cat(all_gather(value)) for name, value in known.items()}  # type: ignore[no-untyped-call]
    return replace(outputs, **joined)
