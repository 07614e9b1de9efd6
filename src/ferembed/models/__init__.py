"""Encoders: timm backbones with stems for small faces and an embedding head; called, the names of what ships trained.

>>> import ferembed
>>> ferembed.models()
('small', 'ferplus')
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING

import lazy_loader

from ferembed.models.weights import shipped_names

if TYPE_CHECKING:
    from ferembed.models.encoder import Encoder, Stem
    from ferembed.models.network import Network

__all__ = ["Encoder", "Network", "Stem", "shipped_names"]

# Those of PyTorch are loaded when they are first asked for: whoever answers by ONNX Runtime does without.
__getattr__, __dir__, _ = lazy_loader.attach(
    __name__, submod_attrs={"encoder": ["Encoder", "Stem"], "network": ["Network"]}
)


class _Models(ModuleType):
    """A package that answers a call, for ``ferembed.models()`` lists the trained models and is this package, too."""

    def __call__(self) -> tuple[str, ...]:
        return shipped_names()


sys.modules[__name__].__class__ = _Models
