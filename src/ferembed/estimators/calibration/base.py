"""What every calibration is, and the names of their methods."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

from numpy.typing import ArrayLike

from ferembed.probability import Array, Floats, as_probabilities

CalibrationMethod = Literal["temperature", "vector", "isotonic", "joint_isotonic"]


class Calibration(ABC):
    """What every calibration does: map probabilities ``(n, c)`` to probabilities ``(n, c)``, and become JSON."""

    method: ClassVar[CalibrationMethod]

    def __call__(self, proba: ArrayLike) -> Floats:
        """Calibrated probabilities, float64 of shape ``(n, c)``, of what is first seen to be probabilities."""
        return self.map(as_probabilities(proba))

    @abstractmethod
    def map(self, proba: Array) -> Array:
        """Calibrated probabilities ``(n, c)``, an array or, with gradients, a tensor."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """The calibration as JSON values, for :func:`calibration_from_dict`."""
