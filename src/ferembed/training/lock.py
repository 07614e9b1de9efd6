"""One training at a time in a folder."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lightning.fabric.utilities.rank_zero import rank_zero_only

from ferembed.training.errors import TrainingError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextmanager
def sole_training(folder: Path) -> Iterator[None]:
    """Hold a run's folder, which is made if need be, for this process and those that train with it.

    The system itself locks the folder of its checkpoints, so nothing is written, and nothing is left of a process that
    died. Whoever asks the run's recogniser meanwhile need not wait.

    Raises
    ------
    TrainingError
        If another training holds it.
    """
    locked = folder / "checkpoints"
    locked.mkdir(parents=True, exist_ok=True)
    if getattr(rank_zero_only, "rank", 0):
        yield
        return
    if fcntl is None:
        warnings.warn(f"this system locks no folder: see to it that nothing else trains in {folder}.", stacklevel=4)
        yield
        return
    handle = os.open(locked, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TrainingError(f"another training is running in {folder}: let it end, or choose another.") from error
        except OSError as error:
            warnings.warn(
                f"{folder} cannot be locked ({error}): see to it that nothing else trains there.", stacklevel=4
            )
        yield
    finally:
        os.close(handle)
