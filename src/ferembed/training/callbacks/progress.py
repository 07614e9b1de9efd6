"""What a person sees of a run: one line an epoch, and a moving bar in a terminal."""

from __future__ import annotations

import time
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback, RichProgressBar
from rich.console import Console


class EpochLines(Callback):
    """Prints the loss, the validation figures and the time left, once an epoch."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._started = 0.0
        self._first_epoch = 0

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._started, self._first_epoch = time.monotonic(), trainer.current_epoch

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        values = trainer.callback_metrics  # asked for by all processes, for it is theirs together
        if not trainer.is_global_zero:
            return
        done, total = trainer.current_epoch + 1, trainer.max_epochs or 0
        spent = time.monotonic() - self._started
        left = spent / (done - self._first_epoch) * (total - done)
        figures = "".join(f"  {name} {_percent(values, key)}" for name, key in _FIGURES.items())
        loss = float(values.get("train/loss", float("nan")))
        self._console.print(f"epoch {done:3d}/{total}  loss {loss:.3f}{figures}  {spent:4.0f} s, {left:.0f} s left")


_FIGURES = {"k-NN": "validation/knn_accuracy", "softmax": "validation/softmax_accuracy"}


def _percent(values: Any, key: str) -> str:
    return f"{float(values[key]):6.1%}" if key in values else "   -  "


def progress_callbacks() -> list[Callback]:
    """Epoch lines, with a progress bar under them where the output is a terminal."""
    bar: list[Callback] = [RichProgressBar(leave=False)] if Console().is_terminal else []
    return [EpochLines(), *bar]
