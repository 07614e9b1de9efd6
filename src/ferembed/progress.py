"""A progress bar that appears only where a job turns out to take long."""

from __future__ import annotations

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
    start = time.monotonic()
    bar: Progress | None = None

    def report(done: int) -> None:
        nonlocal bar
        if bar is not None:
            bar.update(bar.task_ids[0], completed=done)
        elif time.monotonic() - start > PATIENCE:
            from rich.markup import escape

            bar = _bar()
            bar.add_task(escape(what), total=total, completed=done)
            bar.start()

    try:
        yield report
    finally:
        if bar is not None:
            bar.stop()


def _bar() -> Progress:
    import sys

    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    # Where nothing can be drawn over, of the bar an empty line would be left.
    unseen = not (console.is_terminal or console.is_jupyter)
    # Only what goes to the same terminal is printed around the bar: rich would print it to standard error.
    return Progress(console=console, transient=True, redirect_stdout=sys.stdout.isatty(), disable=unseen)
