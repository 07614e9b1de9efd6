"""Faces on the training device: a batch at a time, gathered from one uint8 tensor or from files, and augmented."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ferembed.data.dataset import DataError, FaceDataset
from ferembed.data.image_files import ImageFiles
from ferembed.data.images import LUMA
from ferembed.data.readers.ferplus import refined_targets
from ferembed.training.augmentation import Mix, augment
from ferembed.training.loaders import FaceLoader, RowBatch, RowChunks, TrainingLoader, make_batches
from ferembed.training.recipe import Recipe


@dataclass
class FaceBatch:
    """Images (n, channels, h, w) in [0, 1], labels (n,), votes (n, v) where known, targets (n, c) if mixed or voted."""

    images: Tensor
    labels: Tensor
    votes: Tensor | None
    targets: Tensor | None = None


class FaceTensors:
    """A data set as tensors, moved to the device of the first batch that is asked for; files stay files."""

    def __init__(self, faces: FaceDataset, *, channels: int, targets: NDArray[np.float32] | None = None) -> None:
        self._channels = channels
        self.files = faces.images if isinstance(faces.images, ImageFiles) else None
        self._images = None if self.files is not None else as_batch(torch.from_numpy(np.array(faces.images)), channels)
        self._labels = torch.from_numpy(np.array(faces.labels))
        self._votes = None if faces.votes is None else torch.from_numpy(np.array(faces.votes))
        self._targets = None if targets is None else torch.from_numpy(np.array(targets))

    def __len__(self) -> int:
        return len(self._labels)

    def gather(self, batch: RowBatch) -> FaceBatch:
        """The rows' pixels as they are stored (uint8), with labels and votes, on the device of the batch."""
        rows = batch.rows
        if self._labels.device != rows.device:
            self._images = None if self._images is None else self._images.to(rows.device)
            self._labels = self._labels.to(rows.device)
            self._votes = None if self._votes is None else self._votes.to(rows.device)
            self._targets = None if self._targets is None else self._targets.to(rows.device)
        if batch.pixels is None:
            assert self._images is not None
            images = self._images[rows]
        else:
            images = as_batch(batch.pixels, self._channels)
        votes, targets = (None if known is None else known[rows] for known in (self._votes, self._targets))
        return FaceBatch(images, self._labels[rows], votes, targets)


def as_batch(images: Tensor, channels: int) -> Tensor:
    """Grey (n, h, w) or RGB (n, h, w, 3) pixels as (n, channels, h, w), converted by the weights of ITU-R 601."""
    if images.ndim == 3:
        return images[:, None] if channels == 1 else images[:, None].expand(-1, 3, -1, -1).contiguous()
    if channels == 3:
        return images.permute(0, 3, 1, 2).contiguous()
    grey = images.float() @ torch.tensor(LUMA, device=images.device)
    return (grey.round().to(images.dtype) if images.dtype == torch.uint8 else grey)[:, None]


class FaceData(pl.LightningDataModule):
    """Training rows in the recipe's batches; at validation the gallery's rows, then the validation split's."""

    def __init__(self, recipe: Recipe, train: FaceDataset, validation: FaceDataset) -> None:
        super().__init__()
        self._recipe = recipe
        self._train_labels, self._num_classes = train.labels, len(train.classes)
        channels = recipe.encoder.channels
        self.train_faces = FaceTensors(train, channels=channels, targets=soft_targets(recipe, train))
        self.validation_faces = FaceTensors(validation, channels=channels)
        rows = np.random.default_rng(recipe.seed).permutation(len(train))
        self._gallery_rows = np.sort(rows[: recipe.validation_gallery])
        self._place: dict[str, Any] | None = None

    def go_on_from(self, place: dict[str, Any]) -> None:
        """Make training loaders that go on where ``place``, the state of one, was taken.

        Lightning itself restores a loader only within an epoch, and forgets what a sampler carries into the next.
        """
        self._place = place

    def train_dataloader(self) -> TrainingLoader:
        trainer = self.trainer
        rank, world_size = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
        batches = make_batches(self._recipe, self._train_labels, rank=rank, world_size=world_size)
        loader = TrainingLoader(batches, self.train_faces.files, self._recipe.workers)
        if self._place is not None:
            loader.load_state_dict(self._place)
        return loader

    def val_dataloader(self) -> list[FaceLoader]:
        return [
            self._in_order(self.train_faces, self._gallery_rows),
            self._in_order(self.validation_faces, np.arange(len(self.validation_faces))),
        ]

    def training_faces(self, device: torch.device) -> Iterator[FaceBatch]:
        """All training faces in the order of their rows, unchanged."""
        for batch in self._in_order(self.train_faces, np.arange(len(self.train_faces))):
            pixels = None if batch.pixels is None else batch.pixels.to(device)
            yield _unchanged(self.train_faces.gather(RowBatch(batch.rows.to(device), pixels)))

    def on_after_batch_transfer(self, batch: RowBatch, dataloader_idx: int) -> FaceBatch:
        trainer = self.trainer
        assert trainer is not None
        if not trainer.training:
            faces = self.validation_faces if dataloader_idx == 1 else self.train_faces
            return _unchanged(faces.gather(batch))
        generator = torch.Generator(batch.rows.device)
        generator.manual_seed(step_seed(self._recipe.seed, trainer.global_step, trainer.global_rank))
        return self._changed(self.train_faces.gather(batch), generator)

    def _in_order(self, faces: FaceTensors, rows: NDArray[np.int64]) -> FaceLoader:
        return FaceLoader(RowChunks(rows), faces.files, self._recipe.workers)

    def _changed(self, plain: FaceBatch, generator: torch.Generator) -> FaceBatch:
        """The batch augmented and, where the recipe says so, mixed: images, targets and votes alike."""
        config, labels, votes = self._recipe.augment, plain.labels, plain.votes
        images = augment(plain.images, config, generator)
        targets = plain.targets
        if not config.mixup:
            return FaceBatch(images, labels, votes, targets)
        mix = Mix.draw(len(labels), config.mixup, generator, labels.device)
        targets = mix(F.one_hot(labels, self._num_classes).float() if targets is None else targets)
        return FaceBatch(mix(images), labels, None if votes is None else mix(votes), targets)


def soft_targets(recipe: Recipe, train: FaceDataset) -> NDArray[np.float32] | None:
    """What a recipe teaches of each face, shape (n, c), where that is not one class.

    Raises
    ------
    DataError
        If it asks for annotators' votes and there are none.
    """
    if recipe.labels == "given" and not recipe.refinement:
        return None
    if train.votes is None:
        raise DataError("the recipe refines labels by annotators' votes, and the training split has none.")
    if recipe.labels == "votes":
        return train.votes
    return refined_targets(train.labels, train.votes, len(train.classes), recipe.refinement)


def _unchanged(plain: FaceBatch) -> FaceBatch:
    return FaceBatch(plain.images.float() / 255, plain.labels, plain.votes)


def step_seed(seed: int, step: int, rank: int = 0) -> int:
    """A seed for one step of one process, the same however the run was interrupted."""
    state = np.random.SeedSequence([seed, step, rank]).generate_state(2, np.uint32)
    return int(state[0]) << 31 ^ int(state[1])
