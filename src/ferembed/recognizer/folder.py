"""A recogniser's folder: the encoder, the state and a configuration, written whole and checked when read."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors.torch import load_file, save_file

from ferembed.models import Encoder
from ferembed.storage import StorageError, atomic_folder, verify_folder, write_json

if TYPE_CHECKING:
    from ferembed.recognizer.state import State

FORMAT = 2
READABLE = (1, 2)


def write_folder(path: str | os.PathLike[str], encoder: Encoder, state: State, info: Mapping[str, Any]) -> None:
    """Write a recogniser, whole or not at all."""
    with atomic_folder(path) as folder:
        save_file({k: v.contiguous() for k, v in encoder.state_dict().items()}, folder / "encoder.safetensors")
        state.save(folder)
        config = {
            "format": FORMAT,
            "classes": list(state.classes),
            "trained": state.trained,
            "encoder": encoder.config,
            "info": info,
        }
        write_json(folder / "config.json", config)


def read_folder(path: Path) -> tuple[Path, Encoder, State, dict[str, Any]]:
    """A recogniser from its folder or from the one of the run that made it: the folder, and what stands in it.

    Raises
    ------
    StorageError
        If the folder holds none, or a file is missing, truncated or altered.
    """
    inner = path / "recognizer"
    folder = verify_folder(inner if inner.exists() or inner.with_name(".recognizer.old").exists() else path)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config.get("format") not in READABLE:
        readable = " and ".join(map(str, READABLE))
        raise StorageError(f"{folder} has format {config.get('format')}; this version of ferembed reads {readable}.")
    from ferembed.recognizer.state import State

    encoder = Encoder(**config["encoder"])
    encoder.load_state_dict(load_file(folder / "encoder.safetensors"))
    return folder, encoder, State.load(folder, config), config["info"]
