"""Trained recognisers as networks, for new runs to start from or to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ferembed.labels import canonical
from ferembed.models import Encoder, Network
from ferembed.recognizer import Recognizer
from ferembed.recognizer.shipped import load, shipped_names
from ferembed.storage import StorageError
from ferembed.training import Recipe, RecipeError, recipe_names


def start_of(recipe: Recipe, classes: Sequence[str]) -> Network | None:
    """The network whose weights a run starts from, without a softmax head where it names other classes.

    Raises
    ------
    RecipeError
        If a recipe is to make the ``start`` and has not been run; the sentence says how.
    StorageError
        If the ``start`` is neither a run, nor an exported file, nor a shipped recogniser, or is damaged.
    """
    return None if recipe.start is None else trained_network(_trained(recipe.start), classes)


def teachers_of(recipe: Recipe, classes: Sequence[str]) -> list[Network]:
    """The networks that a run learns from, in evaluation mode.

    Raises
    ------
    RecipeError
        If a teacher takes other images than the recipe's encoder, or has no softmax head over the same classes; and as
        for :func:`start_of`.
    StorageError
        As for :func:`start_of`.
    """
    return [_teacher(name, recipe, classes) for name in recipe.teachers]


def trained_network(recognizer: Recognizer, classes: Sequence[str]) -> Network:
    """The encoder of a recogniser with the softmax head it was trained with.

    Parameters
    ----------
    recognizer : Recognizer
    classes : sequence of str
        Those the head is wanted for. Where the recogniser was trained on others, or without a head, there is none.

    Returns
    -------
    Network
        In evaluation mode; it has weights of its own.
    """
    head, names = recognizer.trained_head
    lengths = np.linalg.norm(head.coef_, axis=1)
    same = [*map(canonical, names)] == [*map(canonical, classes)]
    has_head = same and not head.intercept_.any() and np.allclose(lengths, lengths[0], rtol=1e-3)
    network = Network(Encoder(**recognizer.engine.encoder.config), num_classes=len(names) if has_head else 0)
    network.encoder.load_state_dict(recognizer.engine.encoder.state_dict())
    if network.softmax is not None:
        with torch.no_grad():
            network.softmax.weight.copy_(torch.from_numpy(head.coef_))
            network.softmax.log_scale.fill_(float(np.log(lengths.mean())))
    return network.eval()


def _trained(name: str) -> Recognizer:
    recipe = Path(name).name
    if not Path(name).exists() and name not in shipped_names() and recipe in recipe_names():
        raise RecipeError(
            f"the recipe builds on {name}, which is not there: first run "
            f"`ferembed train DATA --recipe {recipe} --out {name}`."
        )
    try:
        return load(name)
    except StorageError as error:
        raise StorageError(f"the recipe builds on {name}: {error}") from error


def _teacher(name: str, recipe: Recipe, classes: Sequence[str]) -> Network:
    teacher, wanted = trained_network(_trained(name), classes), recipe.encoder
    if (teacher.encoder.image_size, teacher.encoder.channels) != (wanted.image_size, wanted.channels):
        raise RecipeError(f"the teacher {name} takes images of another size or other channels than the recipe's.")
    if teacher.softmax is None:
        raise RecipeError(f"the teacher {name} has no softmax head over the classes {', '.join(classes)}.")
    return teacher.to(memory_format=torch.channels_last)
