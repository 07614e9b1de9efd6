"""Losses and miners by name, over pytorch-metric-learning.

Each is one class: its parameters, which stand in a recipe, and what it computes of a batch. A subclass of ``LossSpec``
or ``MinerSpec`` is known by its name at once, wherever it is defined. Nothing here imports torch before it computes,
but for ``CombinedLoss``, the torch module of a recipe's losses, when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import base, contrastive, miners, outputs, pairwise, proxies

# isort: split
from . import classification  # last, as the heads' losses are in lists of names
from .base import *  # noqa: F403
from .classification import *  # noqa: F403
from .contrastive import *  # noqa: F403
from .miners import *  # noqa: F403
from .outputs import *  # noqa: F403
from .pairwise import *  # noqa: F403
from .proxies import *  # noqa: F403

if TYPE_CHECKING:
    from .modules import CombinedLoss

__all__ = ["CombinedLoss"]
for _module in (base, classification, contrastive, miners, outputs, pairwise, proxies):
    __all__ += _module.__all__


def __getattr__(name: str) -> Any:
    if name != "CombinedLoss":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .modules import CombinedLoss

    return CombinedLoss
