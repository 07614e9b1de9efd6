"""Losses and miners by name, over pytorch-metric-learning.

Each is one class: its parameters, which stand in a recipe, and what it computes of a batch. A subclass of ``LossSpec``
or ``MinerSpec`` is known by its name at once, wherever it is defined. Nothing here imports torch before it computes,
but for ``CombinedLoss``, the torch module of a recipe's losses, when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ferembed.losses import base, contrastive, miners, outputs, pairwise, proxies

# isort: split
from ferembed.losses import classification  # last, as the heads' losses are in lists of names
from ferembed.losses.base import *  # noqa: F403
from ferembed.losses.classification import *  # noqa: F403
from ferembed.losses.contrastive import *  # noqa: F403
from ferembed.losses.miners import *  # noqa: F403
from ferembed.losses.outputs import *  # noqa: F403
from ferembed.losses.pairwise import *  # noqa: F403
from ferembed.losses.proxies import *  # noqa: F403

if TYPE_CHECKING:
    from ferembed.losses.modules import CombinedLoss

__all__ = ["CombinedLoss"]
for _module in (base, classification, contrastive, miners, outputs, pairwise, proxies):
    __all__ += _module.__all__


def __getattr__(name: str) -> Any:
    if name != "CombinedLoss":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ferembed.losses.modules import CombinedLoss

    return CombinedLoss
