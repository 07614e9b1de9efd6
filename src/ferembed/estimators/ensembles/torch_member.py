"""A torch classifier as a member of an ensemble; the members without torch are in :mod:`ferembed.estimators`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ferembed.estimators.ensembles.members import FittedMember
from ferembed.probability import Floats

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

    @classmethod
    def from_timm(
        cls,
        name: str,
        checkpoint: str | os.PathLike[str],
        classes: Sequence[Any],
        *,
        batch_size: int = 256,
        **arguments: Any,
    ) -> TorchMember:
        """A classifier of timm with the weights in a checkpoint.

        Parameters
        ----------
        name : str
            Any name of :func:`timm.list_models`.
        checkpoint : path
            A safetensors file, or a torch one that holds tensors only; no code in it is run.
        classes : sequence of str or int
            The class of each column.
        batch_size : int, default=256
            Rows at once.
        **arguments
            Of :func:`timm.create_model`, such as ``in_chans=1``.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        RuntimeError
            If its weights are not those of the model.
        """
        import timm

        if not Path(checkpoint).is_file():
            raise FileNotFoundError(f"There is no checkpoint {checkpoint}.")
        module = timm.create_model(name, checkpoint_path=str(checkpoint), num_classes=len(classes), **arguments)
        return cls(module, classes, batch_size=batch_size)

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
        if not len(rows):
            return np.empty((0, len(self.classes)))
        training = self.module.training
        self.module.eval()
        try:
            with torch.inference_mode():
                parts = [self.module(batch.to(device)).float().cpu() for batch in torch.split(rows, self.batch_size)]
        finally:
            self.module.train(training)
        return self._probabilities(torch.cat(parts).numpy(), "logits")
