"""What every command prints with."""

from __future__ import annotations

import sys
from typing import Any


def show(content: Any, *, folds: bool = False) -> None:
    """Print text or a table as it is, whatever brackets and colons names hold; 118 columns wide or more.

    A table that ``folds`` keeps within a narrower terminal.
    """
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
    if not (folds and console.is_terminal):
        console.width = max(console.width, 118)
    console.print(content)


def printable(name: str) -> str:
    """A file's name with bytes that are no UTF-8 as escapes, so that its width is known."""
    return name.encode("utf-8", "backslashreplace").decode()


def complain(problem: object) -> None:
    """Say on standard error, in one line, what went wrong."""
    print(f"ferembed: {' '.join(str(problem).split())}", file=sys.stderr)
