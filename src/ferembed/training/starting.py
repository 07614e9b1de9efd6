"""Trained weights at the start of a run, and once more at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor
from torch.optim.swa_utils import update_bn

from ferembed.models import Network
from ferembed.progress import progress
from ferembed.training.errors import RecipeError


def start_from(trained: Network, network: Network) -> None:
    """Give a network the encoder of a trained one and, where both have it, the softmax head.

    Raises
    ------
    RecipeError
        If the encoders have other layers.
    """
    try:
        network.encoder.load_state_dict(trained.encoder.state_dict())
    except RuntimeError as error:
        raise RecipeError(f"the recipe's encoder has other layers than the one it starts from: {error}") from error
    if network.softmax is not None and trained.softmax is not None:
        network.softmax.load_state_dict(trained.softmax.state_dict())


def average_with_start(start: Network, network: Network, share: float, batches: Iterable[Tensor], total: int) -> None:
    """Average a network with the one whose weights it started from, weight by weight.

    What training gained stays for the most part, and what it forgot comes back (Wortsman et al. 2022, Robust
    Fine-Tuning of Zero-Shot Models). No network had the averaged weights before, so the statistics of batch
    normalisation are measured anew (Izmailov et al. 2018, Averaging Weights Leads to Wider Optima and Better
    Generalization).

    Parameters
    ----------
    start, network : Network
        The second is changed; a head that the first lacks stays as it is.
    share : float
        Of the start, 0 to 1.
    batches : iterable of Tensor
        The training images (n, channels, h, w) in [0, 1], on the device of ``network``, all ``total`` of them.
    total : int
    """
    before = start.state_dict()
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if name in before and value.is_floating_point():
                value.lerp_(before[name].to(value), share)
    with progress("averaging with the start", total) as report:
        update_bn(_reported(batches, report), network.encoder)


def _reported(batches: Iterable[Tensor], report: Callable[[int], None]) -> Iterator[Tensor]:
    seen = 0
    for images in batches:
        yield images
        seen += len(images)
        report(seen)
