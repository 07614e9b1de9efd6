"""A classifier in an ONNX file as a member of an ensemble."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferembed.estimators.ensembles.members import FittedMember, Output
from ferembed.probability import Floats

_NUMPY_NAMES = {"float": "float32", "double": "float64"}
_TYPES: dict[str, np.dtype[Any]] = {
    f"tensor({name})": np.dtype(_NUMPY_NAMES.get(name, name))
    for name in ("float", "double", "float16", "uint8", "int8", "int16", "int32", "int64")
}


class ONNXMember(FittedMember):
    """A classifier in an ONNX file as a member; it runs on the CPU.

    Parameters
    ----------
    path : str or path
        The file. Its only input takes ``X``, the rows along the first axis; a network exported with a fixed number of
        rows is given so many at once, the last of them filled up.
    classes : sequence of str or int
        The class of each column.
    output : {"logits", "probabilities"}, default="logits"
        What the network gives; logits go through a softmax.
    output_name : str, optional
        Which of the network's outputs to take; the first where not given.
    batch_size : int, default=256
        Rows at once.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        classes: Sequence[Any],
        *,
        output: Output = "logits",
        output_name: str | None = None,
        batch_size: int = 256,
    ) -> None:
        self.path = path
        self.classes = classes
        self.output = output
        self.output_name = output_name
        self.batch_size = batch_size

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Probabilities of the classes, float64 of shape ``(n, c)``.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            What the network takes; cast to its input's type.

        Raises
        ------
        ImportError
            If onnxruntime is not installed.
        FileNotFoundError
            If there is no such file.
        ValueError
            If the network does not take such rows or has no such output, or its output has another shape or, said to
            be probabilities, is not.
        """
        session = self._made(_session, Path(self.path))
        given = np.asarray(X)
        if not len(given):
            return np.empty((0, len(self.classes)))
        asked = _only_input(session)
        rows, name = _as_asked(given, asked), self._output_of(session)
        size = asked.shape[0] if isinstance(asked.shape[0], int) else self.batch_size
        batches = (rows[start : start + size] for start in range(0, len(rows), size))
        if isinstance(asked.shape[0], int):
            batches = (np.concatenate([part, np.repeat(part[-1:], size - len(part), axis=0)]) for part in batches)
        parts = [session.run([name], {asked.name: part})[0] for part in batches]
        return self._probabilities(np.concatenate(parts)[: len(rows)], self.output)

    def _output_of(self, session: Any) -> str:
        names = [each.name for each in session.get_outputs()]
        name = names[0] if self.output_name is None else self.output_name
        if name not in names:
            raise ValueError(f"{self.path} has no output {name!r}; it has {', '.join(names)}.")
        kind = session.get_outputs()[names.index(name)].type
        if not kind.startswith("tensor("):
            raise ValueError(
                f"The output {name} of {self.path} is a {kind}, not a tensor: name another in output_name, "
                f"of {', '.join(names)}."
            )
        return name


def _session(path: Path) -> Any:
    try:
        import onnxruntime  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError as error:
        raise ImportError("ONNX files need onnxruntime: pip install 'ferembed[onnx]'") from error
    if not path.is_file():
        raise FileNotFoundError(f"There is no ONNX file {path}.")
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def _only_input(session: Any) -> Any:
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type not in _TYPES:
        wanted = ", ".join(f"{each.name} ({each.type})" for each in inputs)
        raise ValueError(f"A member gives its network one tensor of numbers; this one takes {wanted}.")
    return inputs[0]


def _as_asked(rows: NDArray[Any], asked: Any) -> NDArray[Any]:
    """The rows in the type of the network's input, where that holds them and the shapes agree."""
    shape = asked.shape[1:]
    fixed = [size if isinstance(size, int) else given for size, given in zip(shape, rows.shape[1:], strict=False)]
    if rows.ndim != len(asked.shape) or list(rows.shape[1:]) != fixed:
        raise ValueError(f"The network takes rows of shape {tuple(shape)}; got {rows.shape[1:]}.")
    kind: np.dtype[Any] = _TYPES[asked.type]
    with np.errstate(over="ignore", invalid="ignore"):
        cast = rows.astype(kind)
    kept = cast == rows if kind.kind in "iu" else np.isfinite(cast) | ~np.isfinite(rows.astype(np.float64))
    lost = np.flatnonzero(~kept.reshape(len(rows), -1).all(axis=1))
    if lost.size:
        raise ValueError(f"The network takes {kind.name}, which cannot hold row {lost[0]} of X as it is.")
    return cast
