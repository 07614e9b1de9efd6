"""What trained networks answer, for another to learn: batch by batch, or once about every face."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ferembed.losses import Distillation
from ferembed.models import Network
from ferembed.progress import progress
from ferembed.storage import atomic_path
from ferembed.training.distributed import is_first, wait_for_all
from ferembed.training.recipe import Recipe


def asked_once(recipe: Recipe) -> bool:
    """Whether the recipe's teachers look at the training faces once, and at no batch."""
    return any(isinstance(loss, Distillation) and loss.teachers_see == "faces" for loss in recipe.losses)


@torch.no_grad()
def answers(teachers: Sequence[Network], images: Tensor) -> Tensor:
    """Mean log probabilities of the teachers' softmax heads; shape (n, c)."""
    said = [teacher(images)[1].float().log_softmax(dim=1) for teacher in teachers]
    return torch.stack(said).mean(dim=0)


def kept_answers(teachers: Sequence[Network], batches: Iterable[Tensor], total: int, file: Path) -> Tensor:
    """Mean log probabilities of faces and their mirror images, float16, shape (total, c); read from the file if there.

    Parameters
    ----------
    teachers : sequence of Network
        On the device of the images.
    batches : iterable of Tensor
        The images (n, channels, h, w) in [0, 1], all ``total`` of them.
    total : int
    file : path
        Where the first of the processes that train together writes the answers.
    """
    if is_first() and not file.is_file():
        said: list[Tensor] = []
        with progress("asking the teachers", total) as report:
            for images in batches:
                both = answers(teachers, torch.cat([images, images.flip(-1)]))
                said.append(both.view(2, len(images), -1).mean(dim=0).half().cpu())
                report(sum(map(len, said)))
        with atomic_path(file) as draft:
            save_file({"log_probabilities": torch.cat(said)}, draft)
    wait_for_all()
    return load_file(file)["log_probabilities"]
