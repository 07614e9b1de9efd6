"""A run that is told to stop saves where it is, to the batch, before it goes."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback

STOPPING = (signal.SIGTERM, signal.SIGINT)


class Interrupted(SystemExit):
    """The run was told to stop and has saved its state; calling train again goes on from there."""


class SaveOnSignal(Callback):
    """At the first SIGTERM or SIGINT, writes a checkpoint after the batch in flight and ends the process.

    After the last batch of an epoch the epoch is ended first, with its validation and its own checkpoint. The exit code
    is 128 plus the signal's number, as shells give it. A second signal ends the process at once. Where several
    processes train together, a signal to one of them stops all.
    """

    def __init__(self, checkpoint: Path) -> None:
        self._checkpoint = checkpoint
        self._received = 0
        self._previous: dict[int, Any] = {}

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._note) for number in STOPPING}

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        # A run that goes on from a checkpoint of an epoch's last batch would leave its validation out.
        if not trainer.is_last_batch:
            self._stop_if_told(trainer, save=True)

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._stop_if_told(trainer, save=False)

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._stop_if_told(trainer, save=False)

    def teardown(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        self._restore()

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        self._restore()

    def _stop_if_told(self, trainer: pl.Trainer, *, save: bool) -> None:
        if trainer.strategy.reduce_boolean_decision(bool(self._received), all=False):
            if save:
                trainer.save_checkpoint(self._checkpoint)
            raise Interrupted(128 + (self._received or signal.SIGTERM))

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._received = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
