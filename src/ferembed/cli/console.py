"""What every command prints with."""

from __future__ import annotations

import sys
from typing import Any


def show(content: Any) -> None:
    """Print text or a table as it is, whatever brackets and colons names hold; 118 columns wide or more when piped."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
    console.width = max(console.width, 118)
    console.print(content)


def complain(problem: object) -> None:
    """Say on standard error, in one line, what went wrong."""
    print(f"ferembed: {' '.join(str(problem).split())}", file=sys.stderr)
