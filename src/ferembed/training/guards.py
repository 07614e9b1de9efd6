"""Runs that cannot end well are stopped or warned of, with advice."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from safetensors.torch import save_file
from torch import Tensor

from ferembed.storage import atomic_path
from ferembed.training.faces import FaceBatch

COLLAPSED = 0.002


class TrainingError(RuntimeError):
    """A run cannot go on; the sentence says why and what to change."""


class CollapseWarning(UserWarning):
    """All faces are landing on nearly one point."""


class StopAtNaN(Callback):
    """Stops at the first loss that is not finite, before it reaches the weights, and keeps the batch that made it."""

    def __init__(self, keep: Path) -> None:
        self._keep = keep
        self._batch: FaceBatch | None = None

    def on_train_batch_start(self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_idx: int) -> None:
        self._batch = batch

    def on_before_backward(self, trainer: pl.Trainer, module: pl.LightningModule, loss: Tensor) -> None:
        if torch.isfinite(loss) or self._batch is None:
            return
        tensors = {name: value for name, value in vars(self._batch).items() if isinstance(value, Tensor)}
        with atomic_path(self._keep) as draft:
            save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, draft)
        raise TrainingError(
            f"the loss became {loss.item()} at step {trainer.global_step} of epoch {trainer.current_epoch + 1}: "
            f"lower optimizer.lr or set optimizer.clip_norm. The batch is in {self._keep}."
        )


class WarnOfCollapse(Callback):
    """Warns when the validation embeddings have nearly no spread."""

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        spread = trainer.callback_metrics.get("validation/spread")
        if spread is not None and float(spread) < COLLAPSED:
            active = float(trainer.callback_metrics["validation/active_triplets"])
            warnings.warn(
                f"epoch {trainer.current_epoch + 1}: the embeddings are collapsing to one point (variance "
                f"{float(spread):.4f} of at most 1, {active:.0%} of triplets active): lower optimizer.lr, start "
                f"triplets with semihard mining, or add cross_entropy to the losses.",
                CollapseWarning,
                stacklevel=1,
            )
