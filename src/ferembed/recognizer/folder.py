"""A recogniser's folder: the encoder, the state and a configuration, written whole and checked when read."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ferembed import storage
from ferembed.models.files import EncoderFiles
from ferembed.storage import StorageError, atomic_folder, write_json

if TYPE_CHECKING:
    from ferembed.recognizer.state import State

FORMAT = 2
READABLE = (1, 2)


INSIDE = "recognizer"
"""The folder of the recogniser in that of the run which made it."""


class Saved(NamedTuple):
    """Where a recogniser lies on disk, and as what it was last read or written there."""

    folder: Path
    state: storage.State | None


def write_folder(
    path: str | os.PathLike[str],
    encoder: EncoderFiles,
    state: State,
    info: Mapping[str, Any],
    since: storage.State | None = None,
) -> Saved:
    """Write a recogniser, whole or not at all: into the folder itself or, where that is a run's, into the one inside.

    Raises
    ------
    StorageError
        If the folder holds what this library did not save there, or was replaced ``since``.
    """
    target = Path(path).resolve()
    if (target / "recipe.yaml").is_file():
        target /= INSIDE
    with atomic_folder(target, since) as folder:
        state.save(folder)
        config = {
            "format": FORMAT,
            "classes": list(state.classes),
            "trained": state.trained,
            **encoder.write(folder),
            "info": info,
        }
        write_json(folder / "config.json", config)
    return Saved(target, storage.state_of(target))


def read_folder(path: Path) -> tuple[Saved, EncoderFiles, State, dict[str, Any]]:
    """A recogniser from its folder or from the one of the run that made it: where it lies, and what stands in it.

    Raises
    ------
    StorageError
        If the folder holds none, or a file is missing, truncated or altered.
    """
    inside = path / INSIDE
    folder = (inside if storage.standing(inside).exists() else path).resolve()
    stamp, encoder, state, info = storage.read_folder(folder, _read)
    return Saved(folder, stamp), encoder, state, info


def _read(folder: Path) -> tuple[storage.State | None, EncoderFiles, State, dict[str, Any]]:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config.get("format") not in READABLE:
        readable = " and ".join(map(str, READABLE))
        raise StorageError(f"{folder} has format {config.get('format')}; this version of ferembed reads {readable}.")
    from ferembed.recognizer.state import State

    encoder = EncoderFiles.read(folder, config)
    return storage.state_of(folder), encoder, State.load(folder, config), config["info"]
