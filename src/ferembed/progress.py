"""A progress bar that appears only where a job turns out to take long."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

PATIENCE = 2.0
"""Seconds of silence before the bar appears."""


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A function that takes how much of ``total`` is done and, after two seconds, shows it on standard error.

    Where that is neither a terminal nor a notebook nothing is written. None is a total that nobody knows: the bar then
    shows that something moves.
    """
    patient_until = time.monotonic() + PATIENCE
    bar: Progress | None = None

    def report(done: int) -> None:
        nonlocal bar, patient_until
        if bar is not None:
            bar.update(bar.task_ids[0], completed=done)
        elif time.monotonic() > patient_until:
            patient_until = math.inf
            bar = _started(what, total, done)

    try:
        yield report
    finally:
        if bar is not None:
            bar.stop()


def _started(what: str, total: int | None, done: int) -> Progress | None:
    """A bar, or None where nothing can be drawn over: some versions of rich would leave an empty line of it."""
    import sys

    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress

    console = Console(stderr=True)
    if not (console.is_terminal or console.is_jupyter):
        return None
    # Only what goes to the same terminal is printed around the bar: rich would print it to standard error.
    bar = Progress(console=console, transient=True, redirect_stdout=sys.stdout.isatty())
    bar.add_task(escape(what), total=total, completed=done)
    bar.start()
    return bar
