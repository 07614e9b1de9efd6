"""The figures of a run, epoch by epoch, in a file that survives whatever cuts the run off."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback

from ferembed.storage import write_text


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
