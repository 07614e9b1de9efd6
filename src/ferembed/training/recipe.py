"""A recipe: everything that decides how an encoder is trained, as one frozen, readable object."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from ferembed.losses import AnyLoss, CrossEntropy, LossSpec, SupCon
from ferembed.training.augmentation import AugmentConfig
from ferembed.training.errors import RecipeError
from ferembed.training.parts import BatchConfig, EncoderConfig, OptimizerConfig, Part
from ferembed.training.recipe_text import changed, dump_yaml, explain, flat, load_yaml, wrong

WITHOUT_EFFECT: tuple[str, ...] = ("description", "workers")
"""Fields that leave a run as it is: it may go on under other values of them."""


class Recipe(Part):
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
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Decides initial weights, the order of rows and every augmentation."""
    epochs: int = Field(default=12, ge=1)
    """Passes over the training rows."""
    encoder: EncoderConfig = EncoderConfig()
    """The network."""
    losses: tuple[AnyLoss, ...] = Field(
        default=(CrossEntropy(label_smoothing=0.1), SupCon(weight=0.5)), min_length=1, strict=False
    )
    """The losses; their weighted sum is minimised."""
    teachers: tuple[str, ...] = Field(default=(), strict=False)
    """Folders of runs, exported files or names of shipped recognisers, whose mean answer to each batch the
    ``distillation`` loss learns."""
    start: str | None = None
    """A run's folder, an exported file or the name of a shipped recogniser, whose encoder and, for the same classes,
    softmax head training starts from; none for random weights."""
    start_share: float = Field(default=0.0, ge=0, lt=1)
    """Share of the start's weights in the result, which is the average of both with batch normalisation measured anew:
    a run that goes on from a trained network keeps more of what that could do."""
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

    @field_validator("losses")
    @classmethod
    def _each_loss_once(cls, losses: tuple[AnyLoss, ...]) -> tuple[AnyLoss, ...]:
        names = [loss.name for loss in losses]
        for place, name in enumerate(names):
            if name in names[:place]:
                raise wrong(f"{place}", f"{name} is given twice: give each loss once, with its weight")
        return losses

    @model_validator(mode="after")
    def _losses_fit_the_batches(self) -> Recipe:
        for place, loss in enumerate(self.losses):
            try:
                loss.of_batches(self.batches.kind)
            except ValueError as error:
                raise wrong(f"losses.{place}", str(error)) from error
        return self

    @model_validator(mode="after")
    def _teachers_are_heard(self) -> Recipe:
        if any(loss.name == "distillation" for loss in self.losses) != bool(self.teachers):
            field = "teachers" if self.teachers else "losses"
            raise wrong(field, "teachers and the distillation loss go together: give both or neither")
        return self

    @model_validator(mode="after")
    def _there_is_a_start_to_share(self) -> Recipe:
        if self.start_share and self.start is None:
            raise wrong("start_share", "there is no start whose weights could have a share: give one, or take 0")
        return self

    @model_validator(mode="after")
    def _labels_are_refined_or_votes(self) -> Recipe:
        if self.labels == "votes" and self.refinement:
            raise wrong("refinement", "labels: votes are learnt whole: set refinement to 0, or labels to given")
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
            values = load_yaml(text, source)
        except ValueError as error:
            raise RecipeError(str(error)) from error
        if not isinstance(values, dict):
            raise RecipeError(f"{source} must hold a mapping of recipe fields, not {type(values).__name__}.")
        return cls._of(values, text, source)

    @classmethod
    def of(cls, recipe: Recipe | str | os.PathLike[str]) -> Recipe:
        """A recipe as it is, or by its name or path as :meth:`named` has it.

        Raises
        ------
        RecipeError
            If it is neither, or as for :meth:`named`.
        """
        if isinstance(recipe, Recipe):
            return recipe
        if isinstance(recipe, os.PathLike):
            return cls.from_yaml(recipe)
        if not isinstance(recipe, str):
            raise RecipeError(f"a recipe is a Recipe, a name or the path of a YAML file, not {type(recipe).__name__}.")
        return cls.named(recipe)

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
        return dump_yaml(self.model_dump(mode="json"))

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
        return self._of(changed(self.model_dump(mode="json"), changes))

    def differences(self, other: Recipe) -> list[str]:
        """The fields in which two recipes differ, as ``field: mine / theirs``, but for those that change no result."""
        mine, theirs = (flat(each._decided().model_dump(mode="json")) for each in (self, other))
        keys = [key for key in {**mine, **theirs} if key not in WITHOUT_EFFECT and mine.get(key) != theirs.get(key)]
        return [f"{key}: {mine.get(key)} / {theirs.get(key)}" for key in keys]

    @classmethod
    def _of(cls, values: dict[str, Any], text: str = "", source: str = "the recipe") -> Recipe:
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise RecipeError(explain(error, values, text, source)) from error

    def _decided(self) -> Recipe:
        return self.model_copy(update={"losses": self.losses_of_batches})


def recipe_names() -> tuple[str, ...]:
    """The recipes that ship with the library, sorted."""
    folder = resources.files("ferembed.training") / "recipes"
    return tuple(sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml")))
