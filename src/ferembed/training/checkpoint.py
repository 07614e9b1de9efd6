"""Lightning checkpoints as safetensors: tensors in the body, everything else as JSON in the header, no pickle."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from lightning.pytorch.plugins.io import CheckpointIO
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ferembed.storage import StorageError, atomic_path

_FORMAT = "ferembed-checkpoint-1"


class SafetensorsCheckpointIO(CheckpointIO):
    """Writes each checkpoint whole or not at all, and reads it without running code from the file."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any | None = None
    ) -> None:
        tensors: dict[str, Tensor] = {}
        tree = _split(checkpoint, tensors, "checkpoint")
        with atomic_path(path) as draft:
            save_file(tensors, draft, metadata={"format": _FORMAT, "tree": json.dumps(tree)})

    def load_checkpoint(
        self, path: str | os.PathLike[str], map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        try:
            with safe_open(path, framework="pt") as file:
                header = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if header.get("format") != _FORMAT:
                raise ValueError("it is not of ferembed")
            checkpoint: dict[str, Any] = _join(json.loads(header["tree"]), tensors)
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise StorageError(
                f"{path} is no readable checkpoint ({error}): remove the folder {Path(path).parent} and run the same "
                f"again, which then trains anew."
            ) from error
        return checkpoint

    def remove_checkpoint(self, path: str | os.PathLike[str]) -> None:
        Path(path).unlink(missing_ok=True)


def best_weights(folder: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The state of the learner, its network and losses, at a run's best epoch."""
    path = Path(folder) / "checkpoints" / "best.ckpt"
    state: dict[str, Tensor] = SafetensorsCheckpointIO().load_checkpoint(path)["state_dict"]
    return state


def seconds_trained(folder: str | os.PathLike[str]) -> float:
    """The seconds that a run has trained for up to its last checkpoint, whenever it was cut off; 0 without one."""
    path = Path(folder) / "checkpoints" / "last.ckpt"
    if not path.is_file():
        return 0.0
    callbacks = SafetensorsCheckpointIO().load_checkpoint(path)["callbacks"]
    return float(callbacks.get("TimeTrained", {}).get("time_elapsed", {}).get("train", 0.0))


def _split(value: Any, tensors: dict[str, Tensor], where: str) -> Any:
    """The value with each tensor moved to ``tensors``; what JSON lacks is written as a list headed by its kind."""
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().cpu().contiguous().clone()
        return ["tensor", name]
    if isinstance(value, dict):
        return ["dict", [[_split(k, tensors, where), _split(v, tensors, f"{where}.{k}")] for k, v in value.items()]]
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return [kind, [_split(item, tensors, f"{where}.{i}") for i, item in enumerate(value)]]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{where} is a {type(value).__name__}: a checkpoint holds tensors and plain values only.")


def _join(value: Any, tensors: dict[str, Tensor]) -> Any:
    if not isinstance(value, list):
        return value
    kind, content = value
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {_join(k, tensors): _join(v, tensors) for k, v in content}
    items = [_join(item, tensors) for item in content]
    return items if kind == "list" else tuple(items)
