"""A torch classifier as a member of an ensemble; the members without torch are in :mod:`ferembed.estimators`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ferembed.estimators.adapters import FittedMember
from ferembed.estimators.probabilities import Floats

if TYPE_CHECKING:
    from torch.nn import Module


class TorchMember(FittedMember):
    """A trained torch classifier as a scikit-learn classifier that is never fitted again.

    Parameters
    ----------
    module : torch.nn.Module
        Takes a float32 batch of shape ``(n, ...)`` on its own device, and gives logits of shape ``(n, c)``.
    classes : sequence of str or int
        The class of each column.
    batch_size : int, default=256
        Rows at once.

    Examples
    --------
    >>> import torch
    >>> member = TorchMember(torch.nn.Linear(4, 2), ["happy", "sad"])
    >>> member.predict_proba(np.zeros((3, 4))).shape
    (3, 2)
    """

    def __init__(self, module: Module, classes: Sequence[Any], *, batch_size: int = 256) -> None:
        self.module = module
        self.classes = classes
        self.batch_size = batch_size

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Probabilities of the classes, float64 of shape ``(n, c)``; the module is left in the mode it was in.

        Raises
        ------
        ValueError
            If the module's output has another shape.
        """
        import torch

        parameter = next(self.module.parameters(), None)
        device = parameter.device if parameter is not None else torch.device("cpu")
        rows = torch.from_numpy(np.ascontiguousarray(X, dtype=np.float32))
        training = self.module.training
        self.module.eval()
        try:
            with torch.inference_mode():
                parts = [self.module(batch.to(device)).float().cpu() for batch in torch.split(rows, self.batch_size)]
        finally:
            self.module.train(training)
        return self._probabilities(torch.cat(parts).numpy(), "logits")
