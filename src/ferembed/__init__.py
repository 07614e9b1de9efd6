"""Facial-expression recognition by metric learning: embeddings, nearest-neighbour votes, calibrated probabilities."""

import lazy_loader

__version__ = "0.1.0"

# The public names stand in __init__.pyi; each is loaded when it is first asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__.append("__version__")
