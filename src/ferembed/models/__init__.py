"""Encoders: timm backbones with stems for small faces and an embedding head; called, the names of what ships trained.

>>> import ferembed
>>> ferembed.models()
('small', 'ferplus')
"""

import sys
from types import ModuleType

from ferembed.models.encoder import Encoder, Stem
from ferembed.models.network import Network
from ferembed.models.weights import shipped_names

__all__ = ["Encoder", "Network", "Stem", "shipped_names"]


class _Models(ModuleType):
    """A package that answers a call, for ``ferembed.models()`` lists the trained models and is this package, too."""

    def __call__(self) -> tuple[str, ...]:
        return shipped_names()


sys.modules[__name__].__class__ = _Models
