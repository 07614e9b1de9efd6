"""Is a saliency map right? Curves of removing and of adding pixels, and the test of randomised parameters."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ferembed.explain.saliency import Saliency, explain_class

if TYPE_CHECKING:
    from ferembed.recognizer import Recognizer
    from ferembed.recognizer.inputs import Faces


@dataclass(frozen=True, eq=False)
class PixelCurve:
    """The target's probability while pixels go, or come, in the order of a map."""

    kind: Literal["deletion", "insertion"]
    share: NDArray[np.float64]
    """Share of the pixels that were changed, rising from 0 to 1; shape (s,)."""
    probability: NDArray[np.float64]
    """Shape (n, s)."""

    @property
    def auc(self) -> NDArray[np.float64]:
        """Area under each curve, 0 to 1; shape (n,). A good map has a small one for deletion, a large for insertion."""
        widths, heights = np.diff(self.share), (self.probability[:, 1:] + self.probability[:, :-1]) / 2
        areas: NDArray[np.float64] = heights @ widths
        return areas


def deletion_curve(recognizer: Recognizer, saliency: Saliency, *, steps: int = 24, fill: float = 0.5) -> PixelCurve:
    """Make pixels grey, the most salient first, and watch the probability of the target.

    Parameters
    ----------
    recognizer : Recognizer
        The one that was explained.
    saliency : Saliency
        Its ``maps`` order the pixels.
    steps : int
        Equal shares in which the pixels go.
    fill : float
        The grey value, 0 to 1.

    Raises
    ------
    ValueError
        If ``steps`` is below 1 or ``fill`` out of range.

    References
    ----------
    Petsiuk, Das and Saenko (2018), RISE: randomized input sampling for explanation of black-box models, BMVC.
    """
    return _curve(recognizer, saliency, "deletion", steps, fill)


def insertion_curve(recognizer: Recognizer, saliency: Saliency, *, steps: int = 24, fill: float = 0.5) -> PixelCurve:
    """Put pixels onto a grey image, the most salient first; otherwise as :func:`deletion_curve`."""
    return _curve(recognizer, saliency, "insertion", steps, fill)


def _curve(
    recognizer: Recognizer, saliency: Saliency, kind: Literal["deletion", "insertion"], steps: int, fill: float
) -> PixelCurve:
    if steps < 1 or not 0 <= fill <= 1:
        raise ValueError(f"steps must be at least 1 and fill from 0 to 1, not {steps} and {fill}.")
    count, pixels = len(saliency), saliency.maps[0].size if len(saliency) else 0
    order = np.argsort(-saliency.maps.reshape(count, pixels), axis=1, kind="stable")
    rank = np.argsort(order, axis=1).reshape(saliency.maps.shape)
    share = np.linspace(0, 1, steps + 1)
    colour = (...,) + (None,) * (saliency.images.ndim - 3)
    voter, classes = recognizer.voters[saliency.voter], recognizer.classes_.tolist()
    columns = [classes.index(name) for name in saliency.target]
    probability = np.empty((count, len(share)))
    for step, changed in enumerate(share):
        touched = (rank < round(changed * pixels))[colour]
        kept = touched if kind == "insertion" else ~touched
        faces = np.where(kept, saliency.images, np.float32(fill))
        if count:
            probability[:, step] = voter.predict_proba(recognizer.encode(faces))[np.arange(count), columns]
    return PixelCurve(kind, share, probability)


@dataclass(frozen=True, eq=False)
class RandomisationTest:
    """How much of a map is left as an encoder forgets what it learnt."""

    method: str
    layers: tuple[str, ...]
    """The parts that were randomised, one more at each step: from the embedding head down to the first layer."""
    correlation: NDArray[np.float64]
    """Spearman's rank correlation with the map of the whole encoder after each step, -1 to 1; shape (len(layers), n).
    A map without contrast has 0."""


def randomisation_test(
    recognizer: Recognizer,
    images: Faces,
    method: str = "gradient",
    *,
    voter: str = "vote",
    seed: int = 0,
    **parameters: Any,
) -> RandomisationTest:
    """Randomise the encoder's layers in a cascade from the top, and compare maps with those of the trained encoder.

    A method whose maps stay alike explains the image, not the network. Each tensor of weights is drawn anew from a
    normal distribution around 0 with its own root mean square, so that activations keep their scale; the voters stay.
    The class explained is the one that the trained recogniser predicts.

    Parameters
    ----------
    recognizer : Recognizer
        It is not changed.
    images : array, PIL image, path, or a sequence of these
    method, voter, **parameters
        As for :func:`explain_class`.
    seed : int
        The same seed draws the same weights.

    Returns
    -------
    RandomisationTest

    References
    ----------
    Adebayo, Gilmer, Muelly, Goodfellow, Hardt and Kim (2018), Sanity checks for saliency maps, NeurIPS.
    """
    trained = explain_class(recognizer, images, method, voter=voter, **parameters)
    forgetful = copy.copy(recognizer)
    forgetful.encoder = copy.deepcopy(recognizer.engine.encoder)
    generator = torch.Generator().manual_seed(seed)
    names, correlations = [], []
    for name, part in _from_the_top(forgetful.encoder):
        _randomise(part, generator)
        now = explain_class(forgetful, images, method, target=trained.target.tolist(), voter=voter, **parameters)
        names.append(name)
        correlations.append([_rank_correlation(*pair) for pair in zip(trained.maps, now.maps, strict=True)])
    return RandomisationTest(method, tuple(names), np.array(correlations).reshape(len(names), len(trained)))


def _from_the_top(encoder: nn.Module) -> list[tuple[str, nn.Module]]:
    """The encoder's parts that hold weights, last to first; the backbone counts by its own parts."""
    parts: list[tuple[str, nn.Module]] = []
    for name, part in encoder.named_children():
        inner = list(part.named_children()) if name == "backbone" else []
        parts += [(f"{name}.{each}", module) for each, module in inner] or [(name, part)]
    return [(name, part) for name, part in reversed(parts) if next(part.parameters(), None) is not None]


@torch.no_grad()
def _randomise(part: nn.Module, generator: torch.Generator) -> None:
    for parameter in part.parameters():
        noise = torch.randn(parameter.shape, generator=generator).to(parameter)
        parameter.copy_(noise * parameter.square().mean().sqrt())


def _rank_correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    from scipy.stats import rankdata

    ranks = [rankdata(each) - (each.size + 1) / 2 for each in (a, b)]
    length = float(np.sqrt((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum()))
    return float((ranks[0] * ranks[1]).sum()) / length if length else 0.0
