"""Runs that cannot end well are stopped or warned of, with advice."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from safetensors.torch import save_file
from torch import Tensor

from ferembed.storage import atomic_path
from ferembed.training.errors import CollapseWarning, TrainingError
from ferembed.training.face_data import FaceBatch
from ferembed.training.recipe import Recipe

COLLAPSED = 0.002
UNPARTED = 1.02


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
        rank = trainer.global_rank
        keep = self._keep.with_stem(f"{self._keep.stem}-{rank}") if rank else self._keep
        with atomic_path(keep) as draft:
            save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, draft)
        raise TrainingError(
            f"the loss became {loss.item()} at step {trainer.global_step} of epoch {trainer.current_epoch + 1}: "
            f"lower optimizer.lr or set optimizer.clip_norm. The batch is in {keep}."
        )


class WarnOfCollapse(Callback):
    """Warns when validation finds no spread in the embeddings, or none between the classes."""

    def __init__(self) -> None:
        self._validations = 0

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        figures = {name.removeprefix("validation/"): float(v) for name, v in trainer.callback_metrics.items()}
        self._validations += 1
        verdict = diagnosis(figures, settled=self._settled(trainer))
        if verdict:
            warnings.warn(f"epoch {trainer.current_epoch + 1}: {verdict}", CollapseWarning, stacklevel=1)

    def _settled(self, trainer: pl.Trainer) -> bool:
        """Whether the run is past the start, where no embedding separates anything yet."""
        return self._validations >= 2 and trainer.current_epoch + 1 >= (trainer.max_epochs or 0) / 4

    def state_dict(self) -> dict[str, Any]:
        return {"validations": self._validations}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._validations = int(state_dict["validations"])


def diagnosis(figures: Mapping[str, float], *, settled: bool) -> str | None:
    """What ails an embedding, with advice, by the figures of a validation; None for a healthy one.

    Parameters
    ----------
    figures : mapping of str to float
        As :func:`~ferembed.training._diagnostics.embedding_figures` gives them.
    settled : bool
        Whether the classes may be expected to part by now.
    """
    active = f"{figures['active_triplets']:.0%} of triplets active"
    if figures["spread"] < COLLAPSED:
        return (
            f"the embeddings are collapsing to one point (variance {figures['spread']:.4f} of at most 1, {active}): "
            f"lower optimizer.lr, start triplets with semihard mining, or add cross_entropy to the losses."
        )
    ratio = figures["distance_between"] / figures["distance_within"]
    if settled and ratio < UNPARTED:
        ratios = {
            name: figures[f"distance_between/{name}"] / figures[f"distance_within/{name}"]
            for name in (key.partition("/")[2] for key in figures if key.startswith("distance_within/"))
        }
        worst = min(ratios, key=lambda name: ratios[name])
        return (
            f"the classes are not parting (pairs of two classes lie {ratio:.2f} times as far apart as pairs of one, "
            f"least for {worst}; {active}): train longer, raise optimizer.lr, or add cross_entropy to the losses."
        )
    return None


@contextmanager
def explain_memory(recipe: Recipe) -> Iterator[None]:
    """Turns an allocation that failed into a sentence that names the two settings to change.

    Raises
    ------
    TrainingError
        In place of torch's out-of-memory errors, on the GPU or on the CPU.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_memory(error):
            raise
        batches = recipe.batches
        balanced = batches.kind == "class_balanced"
        size = "batches.images_per_class" if balanced else "batches.size"
        now = batches.images_per_class if balanced else batches.size
        raise TrainingError(
            f"out of memory: lower {size} (now {now}) or encoder.image_size (now {recipe.encoder.image_size})."
        ) from error


def _is_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
