"""A recipe: everything that decides how an encoder is trained, as one frozen, readable object."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ferembed.data.augmentation import AugmentConfig
from ferembed.losses.specs import AnyLoss, CrossEntropy, LossSpec, SupCon
from ferembed.training.yaml_errors import RecipeError, explain

WITHOUT_EFFECT: tuple[str, ...] = ("description", "workers")
"""Fields that leave a run as it is: it may go on under other values of them."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class EncoderConfig(_Frozen):
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


class BatchConfig(_Frozen):
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


class OptimizerConfig(_Frozen):
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


class Recipe(_Frozen):
    """How to train an encoder.

    Recipes are read from YAML with :meth:`from_yaml`, taken from the ones that ship with :meth:`named`, and changed
    with :meth:`override`; they never change in place.

    Examples
    --------
    >>> recipe = Recipe.named("quick").override({"optimizer.lr": "0.05", "epochs": 2})
    >>> recipe.optimizer.lr, recipe.epochs
    (0.05, 2)
    >>> Recipe.from_yaml_text(recipe.to_yaml()) == recipe
    True
    """

    description: str = ""
    """One line that says what the recipe is for."""
    seed: int = Field(default=0, ge=0)
    """Decides initial weights, the order of rows and every augmentation."""
    epochs: int = Field(default=12, ge=1)
    """Passes over the training rows."""
    encoder: EncoderConfig = EncoderConfig()
    """The network."""
    losses: tuple[AnyLoss, ...] = Field(default=(CrossEntropy(label_smoothing=0.1), SupCon(weight=0.5)), min_length=1)
    """The losses; their weighted sum is minimised."""
    teachers: tuple[str, ...] = ()
    """Folders of runs, exported files or names of shipped recognisers, whose mean answer to each batch the
    ``distillation`` loss learns."""
    start: str | None = None
    """A run's folder, an exported file or the name of a shipped recogniser, whose encoder and, for the same classes,
    softmax head training starts from; none for random weights."""
    labels: Literal["given", "votes"] = "given"
    """Each face's own label; or the distribution of its annotators' votes, named by the largest: faces without a usable
    vote are left out, and losses that know distributions learn the whole of it."""
    refinement: float = Field(default=0.0, ge=0, le=1)
    """Share of each training target that annotators' votes decide: the labels that faces with such votes have. Losses
    that know distributions learn it."""
    gallery_refinement: float = Field(default=0.0, ge=0, le=1)
    """As refinement, of what the gallery's faces vote for."""
    batches: BatchConfig = BatchConfig()
    """How rows become batches."""
    augment: AugmentConfig = AugmentConfig()
    """Random changes of the training images."""
    optimizer: OptimizerConfig = OptimizerConfig()
    """The optimiser and its schedule."""
    average: float | None = Field(default=0.998, gt=0, lt=1)
    """Decay, a step, of the moving average of the weights that is validated and kept; none for no average."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Arithmetic of the network: auto takes bfloat16 where the device computes it in hardware."""
    compile: bool = False
    """Compile the network with torch.compile: minutes at the start, fewer milliseconds a step; needs a C++ compiler."""
    patience: int | None = Field(default=None, ge=1)
    """Validations in a row without a better k-NN accuracy after which the run stops early; none for never."""
    workers: int = Field(default=0, ge=0)
    """Processes that decode image files during training, where the data set is not in memory; 0 for none but its own.
    Results do not depend on it."""
    validate_every: int = Field(default=1, ge=1)
    """Epochs from one validation to the next; the last epoch is always validated."""
    validation_gallery: int = Field(default=4096, ge=1)
    """Training images, drawn at random, that vote in the k-NN accuracy at each validation."""

    @model_validator(mode="after")
    def _pairs_are_even(self) -> Recipe:
        if self.batches.kind == "pairs" and self.batches.size % 2:
            raise ValueError(f"batches of pairs need an even size, not {self.batches.size}")
        return self

    @model_validator(mode="after")
    def _losses_fit_the_batches(self) -> Recipe:
        for loss in self.losses:
            loss.of_batches(self.batches.kind)
        return self

    @model_validator(mode="after")
    def _teachers_are_heard(self) -> Recipe:
        if any(loss.name == "distillation" for loss in self.losses) != bool(self.teachers):
            raise ValueError("teachers and the distillation loss go together: give both or neither")
        return self

    @model_validator(mode="after")
    def _labels_are_refined_or_votes(self) -> Recipe:
        if self.labels == "votes" and self.refinement:
            raise ValueError("labels: votes are learnt whole: set refinement to 0, or labels to given")
        return self

    @property
    def losses_of_batches(self) -> tuple[LossSpec, ...]:
        """The losses, with what the recipe's batches decide of them."""
        return tuple(loss.of_batches(self.batches.kind) for loss in self.losses)

    @classmethod
    def from_yaml(cls, path: str | os.PathLike[str]) -> Recipe:
        """Read a recipe file.

        Raises
        ------
        RecipeError
            If the file is missing, is no YAML, or a field is unknown or of the wrong type or range: the sentence names
            file, line and field.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"cannot read the recipe {path}: {error}.") from error
        return cls.from_yaml_text(text, source=str(path))

    @classmethod
    def from_yaml_text(cls, text: str, *, source: str = "<text>") -> Recipe:
        """Read a recipe from YAML text; ``source`` names it in errors."""
        try:
            values = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise RecipeError(f"{source} is not valid YAML: {error}") from error
        if not isinstance(values, dict):
            raise RecipeError(f"{source} must hold a mapping of recipe fields, not {type(values).__name__}.")
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise RecipeError(explain(error, text, source)) from error

    @classmethod
    def named(cls, name: str) -> Recipe:
        """A recipe that ships with the library, or a path to a YAML file.

        Raises
        ------
        RecipeError
            If neither exists; the sentence lists the names.
        """
        if name.endswith((".yaml", ".yml")):
            return cls.from_yaml(name)
        if name not in recipe_names():
            raise RecipeError(f"there is no recipe {name!r}: take one of {', '.join(recipe_names())}, or a .yaml file.")
        file = resources.files("ferembed.training") / "recipes" / f"{name}.yaml"
        return cls.from_yaml_text(file.read_text(encoding="utf-8"), source=f"{name}.yaml")

    def to_yaml(self) -> str:
        """All fields, defaults included, as YAML."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)

    def override(self, changes: Mapping[str, Any] | Iterable[str]) -> Recipe:
        """A copy with some fields changed.

        Parameters
        ----------
        changes : mapping of str to value, or strings "field=value"
            Dotted field names; strings are read as YAML. Items of ``losses`` are reached by number, as in
            ``losses.1.temperature``.

        Raises
        ------
        RecipeError
            If a field does not exist or a value does not fit.
        """
        values = self.model_dump(mode="json")
        for key, value in _pairs(changes):
            _assign(values, key, yaml.safe_load(value) if isinstance(value, str) else value)
        try:
            return type(self).model_validate(values)
        except ValidationError as error:
            raise RecipeError(explain(error)) from error

    def differences(self, other: Recipe) -> list[str]:
        """The fields in which two recipes differ, as ``field: mine / theirs``, but for those that change no result."""
        mine, theirs = (_flat(each._decided().model_dump(mode="json")) for each in (self, other))
        keys = [key for key in {**mine, **theirs} if key not in WITHOUT_EFFECT and mine.get(key) != theirs.get(key)]
        return [f"{key}: {mine.get(key)} / {theirs.get(key)}" for key in keys]

    def _decided(self) -> Recipe:
        return self.model_copy(update={"losses": self.losses_of_batches})


def recipe_names() -> tuple[str, ...]:
    """The recipes that ship with the library, sorted."""
    folder = resources.files("ferembed.training") / "recipes"
    return tuple(sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml")))


def _pairs(changes: Mapping[str, Any] | Iterable[str]) -> Iterable[tuple[str, Any]]:
    if isinstance(changes, Mapping):
        return list(changes.items())
    pairs = [change.partition("=") for change in changes]
    for key, equals, value in pairs:
        if not equals or not key:
            raise RecipeError(
                f"an override reads field=value, such as optimizer.lr=0.05, not {key + equals + value!r}."
            )
    return [(key.strip(), value) for key, _, value in pairs]


def _assign(values: Any, dotted: str, value: Any) -> None:
    *parents, last = dotted.split(".")
    place = values
    for name in parents:
        place = place[_key(place, name, dotted)]
    place[_key(place, last, dotted, new=isinstance(place, dict))] = value


def _key(place: Any, name: str, dotted: str, *, new: bool = False) -> Any:
    if isinstance(place, list) and name.isdigit() and int(name) < len(place):
        return int(name)
    if isinstance(place, dict) and (name in place or new):
        return name
    have = range(len(place)) if isinstance(place, list) else place if isinstance(place, dict) else ()
    raise RecipeError(
        f"a recipe has no field {dotted!r}: at {name!r} there is {', '.join(map(str, have)) or 'a value'}."
    )


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        items: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        return {prefix: value}
    flat: dict[str, Any] = {}
    for key, item in items:
        flat |= _flat(item, f"{prefix}.{key}" if prefix else str(key))
    return flat
