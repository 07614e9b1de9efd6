"""Pixels that stay in files until their batch's turn, decoded beside the training by processes of their own."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from ferembed.data.errors import DataError
from ferembed.data.image_files import ImageFiles


def decoded(files: ImageFiles, batches: Iterable[Any], workers: int) -> Iterator[Tensor]:
    """The pixels of each batch of rows, uint8 of shape (n, h, w) or (n, h, w, 3), in the order of the batches.

    Parameters
    ----------
    files : ImageFiles
    batches : iterable of integer arrays
        Row numbers. With workers they are asked for a few batches ahead of what is taken. Tensors will not do: on its
        way to a worker a tensor's memory is moved, while others read it.
    workers : int
        Processes that decode; 0 decodes in this one. They end when the iterator is used up or let go.

    Raises
    ------
    DataError
        If a file cannot be decoded; the sentence names it.
    """
    loader: DataLoader[Any] = DataLoader(
        _Decoder(files),  # type: ignore[arg-type]
        sampler=batches,
        batch_size=None,
        num_workers=workers,
        worker_init_fn=_leave_signals,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),  # without one, the loader would draw from the global one
    )
    for pixels in loader:
        if isinstance(pixels, DataError):
            raise pixels
        yield pixels


class _Decoder:
    """Decodes rows; an error is handed over whole, to be raised where the batch is taken."""

    def __init__(self, files: ImageFiles) -> None:
        self._files = files

    def __getitem__(self, rows: Any) -> Tensor | DataError:
        try:
            return torch.from_numpy(self._files[np.asarray(rows)])
        except DataError as error:
            return error


def _leave_signals(worker: int) -> None:
    """The first signal to the whole group is for the training process to answer; workers end when it lets them go."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: signal.signal(number, signal.SIG_DFL))
