"""One training at a time in a folder."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lightning.fabric.utilities.rank_zero import rank_zero_only

from ferembed.storage import locked
from ferembed.training.errors import TrainingError


@contextmanager
def sole_training(folder: Path) -> Iterator[None]:
    """Hold a run's folder, which is made if need be, for this process and those that train with it.

    The system itself locks the folder of its checkpoints, so nothing is left of a process that died. Whoever asks the
    run's recogniser meanwhile need not wait.

    Raises
    ------
    TrainingError
        If another training holds it.
    """
    checkpoints = folder / "checkpoints"
    checkpoints.mkdir(parents=True, exist_ok=True)
    if getattr(rank_zero_only, "rank", 0):
        yield
        return
    with ExitStack() as stack:
        try:
            held = stack.enter_context(locked(checkpoints, exclusive=True, wait=False))
        except BlockingIOError as error:
            raise TrainingError(f"another training is running in {folder}: let it end, or choose another.") from error
        if not held:
            warnings.warn(f"this system locks no folder: see to it that nothing else trains in {folder}.", stacklevel=4)
        yield
