"""Loaders of row numbers, with the pixels of those whose images are in files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ferembed.data.image_files import ImageFiles
from ferembed.training.batches.samplers import Batches, ClassBalancedBatches, NaturalBatches, PairBatches
from ferembed.training.recipe import Recipe
from ferembed.training.streaming import decoded

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
