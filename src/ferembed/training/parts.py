"""The parts of a recipe that are not its losses or its augmentation: the network, the batches, the optimiser."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ferembed.training.recipe_text import wrong


class Part(BaseModel):
    """Frozen, closed to fields it does not know, and strict: no text or truth value is taken for a number."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False, strict=True
    )


class EncoderConfig(Part):
    """The network; the fields are the arguments of :class:`ferembed.Encoder`."""

    backbone: str = "resnet18"
    """Any timm model name."""
    embedding_dim: int = Field(default=128, ge=2)
    """Length of the embedding."""
    image_size: int = Field(default=48, ge=16)
    """Side of the square input in pixels."""
    channels: Literal[1, 3] = 1
    """1 for grey, 3 for RGB."""
    stem: Literal["standard", "small", "small-pool", "small-stride"] = "small-pool"
    """First layers: timm's own, or a 3x3 convolution of stride 1, without or with a max-pool, or of stride 2."""
    backbone_args: dict[str, Any] = Field(default_factory=dict)
    """Further arguments of timm.create_model, such as channels or drop_path_rate."""

    @field_validator("channels", mode="before")
    @classmethod
    def _channels_are_a_number(cls, value: Any) -> Any:
        return str(value) if isinstance(value, bool) else value

    @field_validator("backbone_args")
    @classmethod
    def _arguments_can_be_written(cls, value: dict[str, Any]) -> dict[str, Any]:
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"take plain, finite values only ({error})") from error
        return value


class BatchConfig(Part):
    """How the rows of an epoch are dealt into batches."""

    kind: Literal["natural", "class_balanced", "pairs"] = "natural"
    """Shuffled rows; P x K batches of P classes and K images each; or pairs for a Siamese loss."""
    size: int = Field(default=128, ge=2)
    """Images a batch (for natural and pairs)."""
    classes_per_batch: int = Field(default=7, ge=2)
    """P of a class-balanced batch."""
    images_per_class: int = Field(default=18, ge=2)
    """K of a class-balanced batch."""
    exponent: float = Field(default=1.0, ge=0, le=1)
    """Class-balanced batches: 0 draws classes at their natural frequency, 1 uniformly."""
    positive_share: float = Field(default=0.5, gt=0, lt=1)
    """Pairs: the share of pairs that show the same expression."""
    hard_share: float = Field(default=0.0, ge=0, le=1)
    """Pairs: the share of unlike pairs whose second face is one of the ten nearest of other classes, found anew after
    each epoch; the first epoch has none."""

    @model_validator(mode="after")
    def _pairs_are_even(self) -> BatchConfig:
        if self.kind == "pairs" and self.size % 2:
            raise wrong("size", f"batches of pairs need an even size, not {self.size}")
        return self


class OptimizerConfig(Part):
    """The optimiser and its schedule: linear warm-up, then a cosine down to zero, step by step."""

    name: Literal["sgd", "adamw"] = "sgd"
    """SGD with Nesterov momentum, or AdamW."""
    lr: float = Field(default=0.1, gt=0)
    """Highest learning rate."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Momentum of SGD; the first beta of AdamW."""
    weight_decay: float = Field(default=5e-4, ge=0)
    """Weight decay of matrices and filters; biases and normalisation have none."""
    warmup_epochs: float = Field(default=1.0, ge=0)
    """Length of the warm-up."""
    clip_norm: float | None = Field(default=None, gt=0)
    """Largest norm of the whole gradient; none for no clipping."""
