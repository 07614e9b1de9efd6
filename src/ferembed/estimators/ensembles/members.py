"""Supervised models from elsewhere as members of an ensemble: a function, a torch module, a table."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin

from ferembed.data.csv_files import read_rows
from ferembed.estimators.answers import Labels, answers_of, finite_softmax, in_order
from ferembed.probability import Floats, as_probabilities, most_probable

if TYPE_CHECKING:
    from torch.nn import Module


Output = Literal["logits", "probabilities"]
Made = TypeVar("Made")

_ROUNDED = 0.02 + 1e-9
"""How far from 1 the sum of a table's row may be: probabilities are often rounded to two decimals."""


class FittedMember(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A model that was fitted elsewhere, as a scikit-learn classifier.

    Like one wrapped in scikit-learn's ``FrozenEstimator`` it is never fitted again: ``fit`` does nothing, and a clone
    is the same object. An heir stores its parameters, among them ``classes``, and gives ``predict_proba``.
    """

    classes: Sequence[Any]

    @abstractmethod
    def predict_proba(self, X: Any) -> Floats:
        """Probabilities of the classes, float64 of shape ``(n, c)``."""

    @property
    def classes_(self) -> Labels:
        """The class labels, in the order of the columns."""
        return np.asarray(self.classes)

    def fit(self, X: Any, y: ArrayLike | None = None) -> FittedMember:
        """Do nothing: the model is fitted."""
        return self

    def predict(self, X: Any) -> Labels:
        """The most probable class of each row, shape ``(n,)``."""
        labels: Labels = self.classes_[most_probable(self.predict_proba(X))]
        return labels

    def _probabilities(self, outputs: Any, output: Output) -> Floats:
        values: Floats = np.asarray(in_order(outputs, self.classes), dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != len(self.classes):
            raise ValueError(
                f"{type(self).__name__} has {len(self.classes)} classes, so its model must give shape "
                f"(n, {len(self.classes)}); it gave {values.shape}."
            )
        if output == "logits":
            return finite_softmax(values, type(self).__name__)
        with answers_of(type(self).__name__):
            return as_probabilities(values)

    def _made(self, make: Callable[..., Made], *parameters: Any) -> Made:
        """What ``make`` makes of these parameters, kept until they are others."""
        kept: tuple[Any, Any] | None = self.__dict__.get("_kept")
        if kept is None or kept[0] != parameters:
            kept = parameters, make(*parameters)
            self._kept = kept
        made: Made = kept[1]
        return made

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__getstate__().items() if name != "_kept"}

    def __sklearn_clone__(self) -> FittedMember:
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True


class FunctionMember(FittedMember):
    """Any function from ``X`` to probabilities or logits as a member.

    Parameters
    ----------
    function : callable
        Takes ``X`` and gives an array of shape ``(n, c)``, or a data frame, whose columns are read by name.
    classes : sequence of str or int
        The class of each column.
    output : {"probabilities", "logits"}, default="probabilities"
        What the function gives; logits go through a softmax.

    Examples
    --------
    >>> member = FunctionMember(lambda X: np.zeros((len(X), 2)), ["happy", "sad"], output="logits")
    >>> member.predict_proba([[1.0]]).tolist()
    [[0.5, 0.5]]
    """

    def __init__(
        self, function: Callable[[Any], ArrayLike], classes: Sequence[Any], *, output: Output = "probabilities"
    ) -> None:
        self.function = function
        self.classes = classes
        self.output = output

    def predict_proba(self, X: Any) -> Floats:
        """Probabilities of the classes, float64 of shape ``(n, c)``.

        Raises
        ------
        ValueError
            If what the function gives has another shape or, said to be probabilities, is not.
        """
        return self._probabilities(self.function(X), self.output)


class TableMember(FittedMember):
    """A CSV file of probabilities, one row an image, as a member: ``X`` holds the row ids.

    Rows whose sum is within 0.02 of 1, as rounding to two decimals makes it, are rescaled to sum 1.

    Parameters
    ----------
    path : str or path
        A CSV file with a header: the id column, and a column for each class named by it. Other columns are ignored.
    classes : sequence of str or int
        The classes to read, in the order wanted.
    id_column : str, default="id"
        Ids are compared as text, and must be distinct.
    """

    def __init__(self, path: str | os.PathLike[str], classes: Sequence[Any], *, id_column: str = "id") -> None:
        self.path = path
        self.classes = classes
        self.id_column = id_column

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Probabilities of the classes, float64 of shape ``(n, c)``.

        Parameters
        ----------
        X : array-like of str or int, shape (n,) or (n, 1)
            Row ids.

        Raises
        ------
        ValueError
            If the file lacks a column or an id that is asked for, names an id twice, or holds a row that is not a
            distribution.
        """
        columns = tuple(str(name) for name in self.classes)
        rows = self._made(_read_table, Path(self.path), columns, self.id_column)
        ids = [str(row_id) for row_id in np.asarray(X).ravel()]
        missing = next((row_id for row_id in ids if row_id not in rows), None)
        if missing is not None:
            raise ValueError(f"{self.path} has no row with {self.id_column} {missing!r}.")
        return np.array([rows[row_id] for row_id in ids]).reshape(len(ids), len(self.classes))


def _read_table(path: Path, columns: Sequence[str], id_column: str) -> dict[str, Floats]:
    """The probabilities of each id."""
    rows: dict[str, Floats] = {}
    for line, (row_id, *cells) in read_rows(path, (id_column, *columns)):
        if row_id in rows:
            raise ValueError(f"{path}, line {line}: the {id_column} {row_id!r} occurs twice.")
        try:
            values = np.array([[float(cell) for cell in cells]])
            rounded = abs(values.sum() - 1.0) <= _ROUNDED
            rows[row_id] = as_probabilities(values / values.sum() if rounded else values)[0]
        except ValueError as error:
            problem = f"{', '.join(columns)} must be numbers of 0 or more that sum to 1"
            raise ValueError(f"{path}, line {line}: {problem}.") from error
    return rows


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
