"""What is kept of a run, and when it ends: as Lightning does it, for runs that are cut off, moved, and go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch import callbacks

from ferembed.training.checkpoint import SafetensorsCheckpointIO


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


class EarlyStopping(callbacks.EarlyStopping):
    """Ends a run whose validation no longer improves; one that was cut off at its end does not train on."""

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        trainer.should_stop = trainer.should_stop or self.wait_count >= self.patience
