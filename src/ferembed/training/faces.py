"""Faces on the training device: one uint8 tensor, gathered and augmented a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor

from ferembed.data.augmentation import augment
from ferembed.data.dataset import FaceDataset
from ferembed.data.samplers import Batches, ClassBalancedBatches, NaturalBatches, PairBatches
from ferembed.training.recipe import Recipe

EVALUATION_BATCH = 512


@dataclass
class FaceBatch:
    """Images (n, channels, h, w) in [0, 1], labels (n,) and, where known, votes (n, v)."""

    images: Tensor
    labels: Tensor
    votes: Tensor | None


class FaceTensors:
    """A data set as tensors, moved to the device of the first batch that is asked for."""

    def __init__(self, faces: FaceDataset, *, channels: int) -> None:
        self._channels = channels
        self._images = as_batch(torch.from_numpy(np.array(faces.images)), channels)
        self._labels = torch.from_numpy(np.array(faces.labels))
        self._votes = None if faces.votes is None else torch.from_numpy(np.array(faces.votes))

    def __len__(self) -> int:
        return len(self._labels)

    def gather(self, rows: Tensor) -> FaceBatch:
        """The rows' pixels as they are stored (uint8), with labels and votes, on the device of ``rows``."""
        if self._images.device != rows.device:
            self._images, self._labels = self._images.to(rows.device), self._labels.to(rows.device)
            self._votes = None if self._votes is None else self._votes.to(rows.device)
        return FaceBatch(self._images[rows], self._labels[rows], None if self._votes is None else self._votes[rows])


def as_batch(images: Tensor, channels: int) -> Tensor:
    """Grey (n, h, w) or RGB (n, h, w, 3) pixels as (n, channels, h, w), converted by the weights of ITU-R 601."""
    if images.ndim == 3:
        return images[:, None] if channels == 1 else images[:, None].expand(-1, 3, -1, -1).contiguous()
    if channels == 3:
        return images.permute(0, 3, 1, 2).contiguous()
    grey = images.float() @ torch.tensor([0.299, 0.587, 0.114])
    return (grey.round().to(images.dtype) if images.dtype == torch.uint8 else grey)[:, None]


class RowLoader:
    """Row numbers a batch, as Lightning wants a loader: it has a length, an epoch and a state."""

    def __init__(self, batches: Batches) -> None:
        self.sampler = batches

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[Tensor]:
        return (torch.as_tensor(np.asarray(rows)) for rows in self.sampler)

    def state_dict(self) -> dict[str, Any]:
        return dict(self.sampler.state_dict())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.sampler.load_state_dict(state)


class RowChunks:
    """Row numbers in their order, a batch at a time."""

    def __init__(self, rows: Tensor) -> None:
        self._chunks = torch.split(rows, EVALUATION_BATCH)

    def __len__(self) -> int:
        return len(self._chunks)

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self._chunks)


class FaceData(pl.LightningDataModule):
    """Training rows in the recipe's batches; at validation the gallery's rows, then the validation split's."""

    def __init__(self, recipe: Recipe, train: FaceDataset, validation: FaceDataset) -> None:
        super().__init__()
        self._recipe = recipe
        self._train_labels = train.labels
        channels = recipe.encoder.channels
        self.train_faces = FaceTensors(train, channels=channels)
        self.validation_faces = FaceTensors(validation, channels=channels)
        rows = np.random.default_rng(recipe.seed).permutation(len(train))
        self._gallery_rows = torch.from_numpy(np.sort(rows[: recipe.validation_gallery]))

    def train_dataloader(self) -> RowLoader:
        trainer = self.trainer
        rank, world_size = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
        return RowLoader(make_batches(self._recipe, self._train_labels, rank=rank, world_size=world_size))

    def val_dataloader(self) -> list[RowChunks]:
        return [RowChunks(self._gallery_rows), RowChunks(torch.arange(len(self.validation_faces)))]

    def on_after_batch_transfer(self, batch: Tensor, dataloader_idx: int) -> FaceBatch:
        trainer = self.trainer
        assert trainer is not None
        if not trainer.training:
            faces = self.validation_faces if dataloader_idx == 1 else self.train_faces
            plain = faces.gather(batch)
            return FaceBatch(plain.images.float() / 255, plain.labels, plain.votes)
        plain = self.train_faces.gather(batch)
        generator = torch.Generator(batch.device)
        generator.manual_seed(step_seed(self._recipe.seed, trainer.global_step, trainer.global_rank))
        return FaceBatch(augment(plain.images, self._recipe.augment, generator), plain.labels, plain.votes)


def make_batches(recipe: Recipe, labels: np.ndarray[Any, Any], *, rank: int = 0, world_size: int = 1) -> Batches:
    """The batch sampler that a recipe asks for, over training labels (n,)."""
    batches = recipe.batches
    deal: dict[str, Any] = {"seed": recipe.seed, "rank": rank, "world_size": world_size}
    if batches.kind == "class_balanced":
        p, k = batches.classes_per_batch, batches.images_per_class
        return ClassBalancedBatches(labels, p, k, exponent=batches.exponent, **deal)
    if batches.kind == "pairs":
        return PairBatches(labels, batches.size, positive_share=batches.positive_share, **deal)
    return NaturalBatches(labels, batches.size, **deal)


def step_seed(seed: int, step: int, rank: int = 0) -> int:
    """A seed for one step of one process, the same however the run was interrupted."""
    state = np.random.SeedSequence([seed, step, rank]).generate_state(2, np.uint32)
    return int(state[0]) << 31 ^ int(state[1])
