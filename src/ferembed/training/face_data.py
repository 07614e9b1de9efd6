"""Faces on the training device: a batch at a time, gathered from one uint8 tensor or from files, and augmented."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
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
from ferembed.models import Network
from ferembed.training.augmentation import Mix, augment
from ferembed.training.loaders import FaceLoader, RowBatch, RowChunks, TrainingLoader, make_batches
from ferembed.training.recipe import Recipe
from ferembed.training.teachers import kept_answers


@dataclass
class FaceBatch:
    """Images (n, channels, h, w) in [0, 1], labels (n,), votes (n, v) where known, targets (n, c) if mixed or voted,
    and log probabilities (n, c) of teachers that were asked before."""

    images: Tensor
    labels: Tensor
    votes: Tensor | None = None
    targets: Tensor | None = None
    taught: Tensor | None = None


class FaceTensors:
    """A data set as tensors, moved to the device of the first batch that is asked for; files stay files."""

    def __init__(self, faces: FaceDataset, *, channels: int, targets: NDArray[np.float32] | None = None) -> None:
        self._channels = channels
        self.files = faces.images if isinstance(faces.images, ImageFiles) else None
        self._images = None if self.files is not None else as_batch(torch.from_numpy(np.array(faces.images)), channels)
        known = {"labels": faces.labels, "votes": faces.votes, "targets": targets}
        self._known = {name: torch.from_numpy(np.array(each)) for name, each in known.items() if each is not None}

    def __len__(self) -> int:
        return len(self._known["labels"])

    def learn(self, taught: Tensor) -> None:
        """Add teachers' log probabilities, shape (n, c), to what is known of the faces."""
        self._known["taught"] = taught.float().to(self._known["labels"].device)

    def gather(self, batch: RowBatch) -> FaceBatch:
        """The rows' pixels as they are stored (uint8), with what is known of them, on the device of the batch."""
        rows = batch.rows
        if self._known["labels"].device != rows.device:
            self._images = None if self._images is None else self._images.to(rows.device)
            self._known = {name: column.to(rows.device) for name, column in self._known.items()}
        if batch.pixels is None:
            assert self._images is not None
            images = self._images[rows]
        else:
            images = as_batch(batch.pixels, self._channels)
        return FaceBatch(images, **{name: column[rows] for name, column in self._known.items()})


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

    def __init__(
        self,
        recipe: Recipe,
        train: FaceDataset,
        validation: FaceDataset,
        *,
        teachers: Sequence[Network] = (),
        answers: Path | None = None,
    ) -> None:
        """``teachers`` are asked once about the training faces; the file ``answers`` keeps what they say.

        A run whose teachers see each batch gives none here.
        """
        super().__init__()
        self._teachers, self._answers = teachers, answers
        self._recipe = recipe
        self._train_labels, self._num_classes = train.labels, len(train.classes)
        channels = recipe.encoder.channels
        self.train_faces = FaceTensors(train, channels=channels, targets=soft_targets(recipe, train))
        self.validation_faces = FaceTensors(validation, channels=channels)
        rows = np.random.default_rng(recipe.seed).permutation(len(train))
        self._gallery_rows = np.sort(rows[: recipe.validation_gallery])
        self._place: dict[str, Any] | None = None

    def setup(self, stage: str) -> None:
        if not self._teachers:
            return
        assert self.trainer is not None
        assert self._answers is not None
        device = self.trainer.strategy.root_device
        for teacher in self._teachers:
            teacher.to(device)
        images = (batch.images for batch in self.training_faces(device))
        self.train_faces.learn(kept_answers(self._teachers, images, len(self.train_faces), self._answers))

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
        """The batch augmented and, where the recipe says so, mixed: images and all that is known of them alike."""
        config, labels, votes, taught = self._recipe.augment, plain.labels, plain.votes, plain.taught
        changed = replace(plain, images=augment(plain.images, config, generator))
        if not config.mixup:
            return changed
        mix = Mix.draw(len(labels), config.mixup, generator, labels.device)
        targets = F.one_hot(labels, self._num_classes).float() if plain.targets is None else plain.targets
        return FaceBatch(
            mix(changed.images),
            labels,
            None if votes is None else mix(votes),
            mix(targets),
            None if taught is None else mix(taught.exp()).log(),
        )


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
