"""The trained recognisers that come with the library: one file that holds them all, and their card."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Final

from safetensors import safe_open

FILE: Final = Path(str(resources.files("ferembed.models.weights"))) / "recognizers.safetensors"
CARD: Final = FILE.with_name("card.md")


def shipped_names() -> tuple[str, ...]:
    """Names of the recognisers that come with the library, the default first.

    >>> shipped_names()
    ('small', 'ferplus')
    """
    with safe_open(FILE, framework="numpy") as file:
        return tuple(json.loads(file.metadata()["recognizers"]))
