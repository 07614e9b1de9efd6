"""What all specifications share: frozen pydantic models that are chosen by their name."""

from __future__ import annotations

import difflib
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import Self

if TYPE_CHECKING:
    from torch import nn

SamplerName = Literal["natural", "class_balanced", "pairs"]
"""The ways to draw batches, as in ``ferembed.training.batches.samplers``."""


class Spec(BaseModel):
    """A part of a recipe: frozen, closed to fields it does not know, and strict about the types of their values."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False, strict=True
    )


class LossSpec(Spec):
    """A loss by name, with its parameters; ``build`` makes the module that computes it."""

    needs: ClassVar[frozenset[str]] = frozenset()
    """Fields of ``Outputs`` that the loss needs besides embeddings and labels: "logits", "votes", "vote_logits",
    "teacher_logits"."""

    name: str
    """Name of the loss."""

    weight: float = Field(default=1.0, ge=0)
    """Factor of this loss in the sum of all losses."""

    @property
    def sampler(self) -> SamplerName:
        """The batches that suit the loss best."""
        return "class_balanced"

    def of_batches(self, sampler: SamplerName) -> Self:
        """The loss as it is where batches are drawn by ``sampler``.

        Raises
        ------
        ValueError
            If the loss cannot learn from such batches.
        """
        return self

    @abstractmethod
    def build(self, *, num_classes: int, embedding_dim: int, class_counts: Sequence[int] | None = None) -> nn.Module:
        """The torch module whose ``forward(outputs)`` gives the unweighted loss of a batch.

        Parameters
        ----------
        num_classes : int
            Number of classes.
        embedding_dim : int
            Length of an embedding.
        class_counts : sequence of int, optional
            Training images of each class; needed by the losses that correct imbalance.

        Raises
        ------
        ValueError
            If the loss cannot be built for these sizes or counts.
        """


class MinerSpec(Spec):
    """A miner by name, with its parameters."""

    name: str
    """Name of the miner."""

    @abstractmethod
    def build(self, margin: float = float("inf")) -> nn.Module:
        """The torch module whose ``forward(embeddings, labels)`` gives row numbers.

        Parameters
        ----------
        margin : float
            The margin of the loss that is fed; semi-hard triplets lie within it.
        """


def by_name(kind: str, names: Sequence[str]) -> Callable[[Any], Any]:
    """A validator that takes ``"supcon"`` for ``{"name": "supcon"}`` and answers unknown names with the known ones."""

    def resolve(value: Any) -> Any:
        given = {"name": value} if isinstance(value, str) else value
        if isinstance(given, dict):
            check_name(kind, given.get("name"), names)
        return given

    return resolve


def check_name(kind: str, name: object, names: Sequence[str]) -> None:
    """Raise a ValueError that lists ``names`` unless ``name`` is one of them."""
    if name in names:
        return
    close = difflib.get_close_matches(str(name), names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    wrong = f"a {kind} needs a name" if name is None else f"unknown {kind} {name!r}"
    raise ValueError(f"{wrong}; there are {', '.join(names)}.{hint}")
