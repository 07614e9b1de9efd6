"""What training needs of the process and the folder around it, and how it leaves them."""

from __future__ import annotations

import getpass
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch

from ferembed.storage import locked
from ferembed.training.errors import TrainingError


@contextmanager
def undisturbed() -> Iterator[None]:
    """Float32 and gradients inside; afterwards, also after an error, all that training changes is as it was found.

    That is torch's random generators, its default type, gradient mode and number of threads, and who answers SIGTERM
    and SIGINT. What belongs to a group of processes, as Lightning notes it in the environment, lives on with the group.
    """
    in_main = threading.current_thread() is threading.main_thread()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)} if in_main else {}
    dtype, threads, state = torch.get_default_dtype(), torch.get_num_threads(), torch.get_rng_state()
    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None  # type: ignore[no-untyped-call]
    torch.set_default_dtype(torch.float32)
    try:
        with _some_user(), torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_rng_state(state)
        if gpus is None:
            torch.cuda.manual_seed_all(torch.initial_seed())
        else:
            torch.cuda.set_rng_state_all(gpus)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextmanager
def _some_user() -> Iterator[None]:
    """A name for who has none, as in a container under a number of its own: torch names its cache of code by it."""
    try:
        getpass.getuser()
    except (ImportError, KeyError, OSError):
        os.environ["LOGNAME"] = "nobody"
        try:
            yield
        finally:
            del os.environ["LOGNAME"]
    else:
        yield


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
    from lightning.fabric.utilities.rank_zero import rank_zero_only

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
