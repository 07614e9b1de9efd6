"""What is kept of a run while it trains: averaged weights, checkpoints, figures; all of it when a signal ends it."""

from __future__ import annotations

import csv
import io
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch import callbacks
from lightning.pytorch.callbacks import Callback, WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ferembed.storage import write_text
from ferembed.training.checkpoint import SafetensorsCheckpointIO

STOPPING = (signal.SIGTERM, signal.SIGINT)


class MovingAverage(WeightAveraging):
    """Exponential moving average whose decay grows to its full value, so that short runs forget where they began.

    After ``t`` updates the decay is ``min(decay, (1 + t) / (10 + t))``.
    """

    def __init__(self, decay: float) -> None:
        def average(averaged: list[Tensor], current: list[Tensor], updates: Tensor | int) -> None:
            t = float(updates)
            lerp = get_ema_multi_avg_fn(min(decay, (1 + t) / (10 + t)))  # type: ignore[no-untyped-call]
            lerp(averaged, current, updates)

        super().__init__(multi_avg_fn=average)


class ModelCheckpoint(callbacks.ModelCheckpoint):
    """One checkpoint of one name; what it knows of the best so far holds in whichever folder the run goes on."""

    def __init__(self, folder: Path, name: str, **when: Any) -> None:
        super().__init__(folder, name, enable_version_counter=False, **when)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        def here(path: str) -> str:
            return str(Path(str(self.dirpath), Path(path).name)) if path else path

        known = state_dict["best_k_models"]
        paths = {name: here(path) for name, path in state_dict.items() if name.endswith("_model_path")}
        best = {here(path): score for path, score in known.items()}
        super().load_state_dict({**state_dict, **paths, "best_k_models": best, "dirpath": self.dirpath})
        if self.monitor is not None:
            # What cannot be read at the end is better known now.
            for path in best:
                SafetensorsCheckpointIO().load_checkpoint(path)


class TimeTrained(callbacks.Timer):
    """Lightning's timer, which goes on with the run, under a name of its own beside a user's."""


class EarlyStopping(callbacks.EarlyStopping):
    """Ends a run whose validation no longer improves; one that was cut off at its end does not train on."""

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        trainer.should_stop = trainer.should_stop or self.wait_count >= self.patience


class KeepCurve(Callback):
    """Writes a CSV file with a row for each epoch: its number, its last step, its losses and what validation found.

    The rows are part of the checkpoint, so the file of a run that goes on is that of a run that was never cut off.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._rows: list[dict[str, Any]] = []
        self._validation: dict[str, float] = {}

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.global_step and not self._rows and self._file.is_file():  # begun before checkpoints held the rows
            with self._file.open(newline="", encoding="utf-8") as file:
                self._rows = list(csv.DictReader(file))
        self._write(trainer)

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._validation = _figures(trainer, "validation/")

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        place = {"epoch": trainer.current_epoch, "step": trainer.global_step - 1}
        self._rows.append({**place, **_figures(trainer, "train/"), **self._validation})
        self._validation = {}
        self._write(trainer)

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self._rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._rows = list(state_dict["rows"])

    def _write(self, trainer: pl.Trainer) -> None:
        if not trainer.is_global_zero:
            return
        if not self._rows:
            self._file.unlink(missing_ok=True)
            return
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, dict.fromkeys(name for row in self._rows for name in row), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows)
        write_text(self._file, text.getvalue())


def _figures(trainer: pl.Trainer, group: str) -> dict[str, float]:
    return {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith(group)}


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
