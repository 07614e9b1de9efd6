"""What every loss and every miner is: a typed part of a recipe, known by its name as soon as its class exists."""

from __future__ import annotations

import difflib
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, Self, TypeAlias, Union

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, TypeAdapter
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ferembed.losses.outputs import Outputs

__all__ = [
    "AnyLoss",
    "AnyMiner",
    "LossSpec",
    "MinerSpec",
    "SamplerName",
    "Sizes",
    "loss_names",
    "make_loss",
    "make_miner",
    "miner_names",
]

SamplerName = Literal["natural", "class_balanced", "pairs"]
"""The ways to draw batches: the kinds of a recipe's ``batches``."""


class Spec(BaseModel):
    """A part of a recipe: frozen, closed to fields it does not know, and strict about the types of their values.

    A subclass that gives ``name`` a default is registered by it.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False, strict=True
    )

    kind: ClassVar[str]
    known: ClassVar[dict[str, type[Any]]]

    name: str
    """The name by which it is chosen."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        name = cls.model_fields["name"].default
        if not isinstance(name, str):
            return
        place = f"{cls.__module__}.{cls.__qualname__}"
        other = cls.known.setdefault(name, cls)
        # A class defined anew, as by a notebook's cell that is run again, takes the place of its older self.
        if f"{other.__module__}.{other.__qualname__}" != place:
            raise ValueError(f"{place}: the {cls.kind} {name!r} is {other.__module__}.{other.__qualname__} already.")
        cls.known[name] = cls


class Sizes(NamedTuple):
    """What a loss is built for, as :meth:`LossSpec.build` takes it."""

    num_classes: int
    embedding_dim: int
    class_counts: Sequence[int] | None


class LossSpec(Spec):
    """A loss by name, with its parameters: a subclass declares them and computes the loss in ``value``."""

    kind: ClassVar[str] = "loss"
    known: ClassVar[dict[str, type[LossSpec]]] = {}

    needs: ClassVar[frozenset[str]] = frozenset()
    """Fields of ``Outputs`` that the loss needs besides embeddings and labels: "logits", "votes", "vote_logits",
    "teacher_logits"."""

    weight: float = Field(default=1.0, ge=0)
    """Factor of this loss in the sum of all losses."""

    def of_batches(self, sampler: SamplerName) -> Self:
        """The loss as it is where batches are drawn by ``sampler``.

        Raises
        ------
        ValueError
            If the loss cannot learn from such batches.
        """
        return self

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
        from ferembed.losses.modules import Loss

        return Loss(self, self.parts(Sizes(num_classes, embedding_dim, class_counts)))

    def parts(self, sizes: Sizes) -> dict[str, Any]:
        """What the loss keeps from batch to batch, by name: modules, parameters and ``torch.nn.Buffer``s.

        They are learned and saved with the network, and ``value`` gets them as keyword arguments.

        Raises
        ------
        ValueError
            If the loss cannot be built for these sizes.
        """
        return {}

    @abstractmethod
    def value(self, outputs: Outputs, *args: Any, **parts: Any) -> Tensor:
        """The unweighted loss of a batch of at least one image, a scalar with a graph.

        All of ``outputs`` is float32 and arithmetic runs outside autocast: exponentials of similarities divided by a
        temperature overflow or lose their small terms in half precision.
        """

    def update(self, outputs: Outputs, *args: Any, **parts: Any) -> None:
        """Change parts that follow a rule of the loss's own, not the optimizer, after a training batch."""


class MinerSpec(Spec):
    """A miner by name, with its parameters: a subclass declares them and picks in ``mine``."""

    kind: ClassVar[str] = "miner"
    known: ClassVar[dict[str, type[MinerSpec]]] = {}

    def build(self, margin: float = float("inf")) -> nn.Module:
        """The torch module whose ``forward(embeddings, labels)`` gives what ``mine`` picks.

        Parameters
        ----------
        margin : float
            The margin of the loss that is fed.
        """
        from ferembed.losses.modules import Miner

        return Miner(self, margin)

    @abstractmethod
    def mine(self, embeddings: Tensor, labels: Tensor, margin: float) -> tuple[Tensor, ...] | None:
        """Row numbers: (anchor, positive, negative), or (anchor, positive, anchor, negative), or None for all."""


@dataclass(frozen=True)
class ByName:
    """Takes ``"supcon"`` for ``{"name": "supcon"}``, and any class that is registered by the time a recipe is read."""

    base: type[Spec]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.resolve)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(one_of(tuple(self.base.known.values())).core_schema)

    def resolve(self, value: Any) -> Any:
        if isinstance(value, self.base):
            return value
        given = {"name": value} if isinstance(value, str) else value
        if isinstance(given, dict):
            check_name(self.base, given.get("name"))
        return one_of(tuple(self.base.known.values())).validate_python(given)


@cache
def one_of(specs: tuple[type[Spec], ...]) -> TypeAdapter[Any]:
    """Reads a mapping as the specification that its name chooses."""
    choice: Any = Annotated[Union[specs], Field(discriminator="name")]  # noqa: UP007
    return TypeAdapter(choice)


def check_name(base: type[Spec], name: object) -> None:
    """Raise a ValueError that lists the known names unless ``name`` is one of them."""
    names = list(base.known)
    if name in names:
        return
    close = difflib.get_close_matches(str(name), names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    wrong = f"a {base.kind} needs a name" if name is None else f"unknown {base.kind} {name!r}"
    raise ValueError(f"{wrong}; there are {', '.join(names)}.{hint}")


AnyLoss: TypeAlias = Annotated[LossSpec, ByName(LossSpec)]
"""A recipe's loss: a name, or a mapping with the name, the weight and the parameters."""

AnyMiner: TypeAlias = Annotated[MinerSpec, ByName(MinerSpec)]
"""A recipe's miner: a name, or a mapping with the name and its parameters."""


def loss_names() -> tuple[str, ...]:
    """Names of all losses.

    >>> loss_names()[:3]
    ('contrastive', 'supcon', 'soft_contrastive')
    """
    return tuple(LossSpec.known)


def miner_names() -> tuple[str, ...]:
    """Names of all miners.

    >>> miner_names()
    ('all', 'semihard', 'hard', 'easy_positive', 'multi_similarity', 'angular')
    """
    return tuple(MinerSpec.known)


def make_loss(name: str, **parameters: Any) -> LossSpec:
    """The specification of a loss, by its name.

    Parameters
    ----------
    name : str
        One of ``loss_names()``.
    **parameters
        Fields of that loss, such as ``weight`` or ``temperature``.

    Raises
    ------
    ValueError
        If there is no such loss (the sentence lists those there are), or a parameter is unknown or out of range.

    Examples
    --------
    >>> make_loss("triplet", margin="soft", miner="hard").weight
    1.0
    """
    check_name(LossSpec, name)
    return LossSpec.known[name](**parameters)


def make_miner(name: str, **parameters: Any) -> MinerSpec:
    """The specification of a miner, by its name.

    Raises
    ------
    ValueError
        If there is no such miner (the sentence lists those there are), or a parameter is unknown or out of range.

    Examples
    --------
    >>> make_miner("hard", warm_up=0).warm_up
    0
    """
    check_name(MinerSpec, name)
    return MinerSpec.known[name](**parameters)
