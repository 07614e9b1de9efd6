"""What a run leaves for later: its best weights, and weights for another to start from."""

from __future__ import annotations

import os
from pathlib import Path

from torch import Tensor

from ferembed.models import Network
from ferembed.training.checkpoint import SafetensorsCheckpointIO
from ferembed.training.yaml_errors import RecipeError


def best_weights(folder: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The state of the learner, its network and losses, at a run's best epoch."""
    path = Path(folder) / "checkpoints" / "best.ckpt"
    state: dict[str, Tensor] = SafetensorsCheckpointIO().load_checkpoint(path)["state_dict"]
    return state


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
