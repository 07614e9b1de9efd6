"""Loaders of row numbers, with the pixels of those whose images are in files, decoded by processes of their own."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from copy import copy
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from ferembed.data.errors import DataError
from ferembed.data.image_files import ImageFiles
from ferembed.training.batches import Batches, ClassBalancedBatches, NaturalBatches, PairBatches
from ferembed.training.recipe import Recipe

EVALUATION_BATCH = 512


class RowBatch(NamedTuple):
    """Row numbers (n,) and, where the data set's pixels are in files, their pixels as they were decoded."""

    rows: Tensor
    pixels: Tensor | None


class RowChunks:
    """Row numbers in their order, a batch at a time."""

    def __init__(self, rows: NDArray[np.int64]) -> None:
        self._chunks = [rows[i : i + EVALUATION_BATCH] for i in range(0, len(rows), EVALUATION_BATCH)]

    def __len__(self) -> int:
        return len(self._chunks)

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        return iter(self._chunks)


class FaceLoader:
    """Batches of rows, with their pixels where these are in files."""

    def __init__(self, batches: Batches | RowChunks, files: ImageFiles | None, workers: int) -> None:
        self._batches, self._files, self._workers = batches, files, workers

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[RowBatch]:
        batches: Iterable[NDArray[np.int64]] = self._batches
        rows = map(torch.from_numpy, batches)
        if self._files is None:
            yield from (RowBatch(each, None) for each in rows)
        else:
            # Workers read ahead on a copy: the original, whose place is saved, advances as batches are taken.
            yield from map(RowBatch, rows, decoded(self._files, copy(self._batches), self._workers))


class TrainingLoader(FaceLoader):
    """Batches of a sampler, with the epoch and the state that Lightning sets, saves and restores."""

    def __init__(self, sampler: Batches, files: ImageFiles | None, workers: int) -> None:
        super().__init__(sampler, files, workers)
        self.sampler = sampler

    def state_dict(self) -> dict[str, Any]:
        state = self.sampler.state_dict()
        return {name: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for name, v in state.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.sampler.load_state_dict(state)


def make_batches(recipe: Recipe, labels: np.ndarray[Any, Any], *, rank: int = 0, world_size: int = 1) -> Batches:
    """The batch sampler that a recipe asks for, over training labels (n,)."""
    batches = recipe.batches
    deal: dict[str, Any] = {"seed": recipe.seed, "rank": rank, "world_size": world_size}
    if batches.kind == "class_balanced":
        p, k = batches.classes_per_batch, batches.images_per_class
        return ClassBalancedBatches(labels, p, k, exponent=batches.exponent, **deal)
    if batches.kind == "pairs":
        deal |= {"positive_share": batches.positive_share, "hard_share": batches.hard_share}
        return PairBatches(labels, batches.size, **deal)
    return NaturalBatches(labels, batches.size, **deal)


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
