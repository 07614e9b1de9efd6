"""Losses and miners by name, over pytorch-metric-learning.

The specifications (``SupCon(weight=0.5)``) are light and may stand in a recipe; ``CombinedLoss`` turns them into torch
modules. Only ``CombinedLoss`` and ``Outputs`` import torch, when they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .specs import *  # noqa: F403
from .specs import __all__ as _specs

if TYPE_CHECKING:
    from .combined import CombinedLoss
    from .outputs import Outputs

_LAZY = {"CombinedLoss": ".combined", "Outputs": ".outputs"}

__all__ = [*_specs, "CombinedLoss", "Outputs"]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name], __name__), name)
