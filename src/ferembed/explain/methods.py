"""Ways to ask which pixels matter: each gives one signed number a pixel; those with gradients are captum's."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from captum.attr import IntegratedGradients, LayerAttribution, LayerGradCam, NoiseTunnel, Saliency
from numpy.typing import NDArray
from torch import Tensor, nn

from ferembed.explain._layers import folded, gradcam_layer

ROWS = 512
"""Changed images that go through the encoder at once."""

Maps = NDArray[np.float32]

_TOGETHER = 64
"""Images at most that go through the encoder together: at 48 pixels they stay in the cache, twice as fast as 512."""

Answer = Callable[[Tensor, Tensor], Tensor]
"""Takes embeddings (n, d) and what each is asked about (n, ...), and gives one number an image, (n,)."""


@dataclass(frozen=True)
class Question:
    """What is explained: the ``answer`` that ``encoder`` leads to, for images asked about ``reference``."""

    encoder: nn.Module
    answer: Answer
    images: Tensor
    reference: Tensor

    def score(self, images: Tensor, reference: Tensor) -> Tensor:
        """One number an image, (n,), for images (n, channels, h, w)."""
        return self.answer(embed(self.encoder, images), reference)

    @property
    def arguments(self) -> dict[str, Any]:
        """What every captum method wants to know."""
        return {"inputs": self.images.clone().requires_grad_(), "additional_forward_args": (self.reference,)}


def embed(encoder: nn.Module, images: Tensor) -> Tensor:
    """Embeddings (n, d) on the CPU."""
    parts = images.chunk(max(1, math.ceil(len(images) / _TOGETHER)))
    return torch.cat([encoder(part) for part in parts]).cpu()


@torch.no_grad()
def occlusion(question: Question, *, patch: int = 8, stride: int = 2, fill: float = 0.5) -> Tensor:
    """Cover a patch, see what is lost; a pixel's value is the mean loss over the patches that cover it.

    Zeiler and Fergus (2014), Visualizing and understanding convolutional networks.

    Parameters
    ----------
    patch, stride : int
        Side and step of the sliding square, in pixels. A last, narrower patch covers what the steps leave at the
        right and at the bottom.
    fill : float
        Grey value of the patch, 0 to 1.
    """
    height, width = question.images.shape[2:]
    if not 1 <= patch <= min(height, width):
        raise ValueError(f"patch must be from 1 to the {min(height, width)} pixels of the image's side, not {patch}.")
    if not 1 <= stride <= patch:
        raise ValueError(
            f"stride must be from 1 to the patch's {patch} pixels, or some are never covered; not {stride}."
        )
    quick, grey = replace(question, encoder=folded(question.encoder, question.images[:1])), _grey(fill)
    down, across = (_windows(side, patch, stride).to(question.images.device) for side in (height, width))
    patches = (down[:, None, :, None] & across[:, None]).flatten(0, 1)[:, None]
    scores = [
        quick.score(torch.where(part, grey, image), reference.expand(len(part), *reference.shape))
        for image, reference in zip(question.images, question.reference, strict=True)
        for part in torch.split(patches, ROWS)
    ]
    covered = torch.cat(scores).view(-1, len(down), len(across))
    losses = quick.score(question.images, question.reference)[:, None, None] - covered
    rows, columns = (each.to(losses) for each in (down, across))
    return torch.einsum("nrc,rh,cw->nhw", losses, rows, columns) / torch.outer(rows.sum(dim=0), columns.sum(dim=0))


def _windows(side: int, patch: int, stride: int) -> Tensor:
    """Which pixels of a side each window of a sliding patch covers, (windows, side); the last may be narrower."""
    starts = torch.arange(0, side - patch + stride, stride)[:, None]
    pixels = torch.arange(side)
    return (pixels >= starts) & (pixels < starts + patch)


def gradient(question: Question) -> Tensor:
    """The derivative by each pixel, summed over colours.

    Simonyan, Vedaldi and Zisserman (2014), Deep inside convolutional networks.
    """
    return torch.as_tensor(Saliency(question.score).attribute(**question.arguments, abs=False).sum(dim=1))


def smoothgrad(question: Question, *, samples: int = 32, noise: float = 0.1, seed: int = 0) -> Tensor:
    """The mean gradient over noisy copies of the image.

    Smilkov et al. (2017), SmoothGrad: removing noise by adding noise.

    Parameters
    ----------
    samples : int
        Noisy copies.
    noise : float
        Standard deviation of the noise, where pixels go from 0 to 1.
    seed : int
        The same seed gives the same map.
    """
    if samples < 1 or not noise > 0:
        raise ValueError(f"samples must be at least 1 and noise above 0, not {samples} and {noise}.")
    with torch.random.fork_rng(devices=[question.images.device] if question.images.is_cuda else []):
        torch.manual_seed(seed)
        maps = NoiseTunnel(Saliency(question.score)).attribute(
            **question.arguments,
            nt_type="smoothgrad",
            nt_samples=samples,
            nt_samples_batch_size=max(1, ROWS // 4 // len(question.images)),
            stdevs=noise,
            abs=False,
        )
    return torch.as_tensor(maps.sum(dim=1))


def integrated_gradients(question: Question, *, steps: int = 64, fill: float = 0.5) -> Tensor:
    """Gradients summed along the straight way from a grey image to the face.

    The map adds up to the score of the face less that of the grey image, but for the error of ``steps``. A k-NN vote
    also jumps where a neighbour gives way to another, which no gradient sees: where 200 of 28,697 faces vote, these
    jumps are most of the change.

    Sundararajan, Taly and Yan (2017), Axiomatic attribution for deep networks.

    Parameters
    ----------
    steps : int
        Points on the way (Gauss-Legendre).
    fill : float
        Grey value of the image at its start, 0 to 1.
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, not {steps}.")
    maps = IntegratedGradients(question.score).attribute(
        **question.arguments, baselines=_grey(fill), n_steps=steps, internal_batch_size=ROWS // 4
    )
    return torch.as_tensor(maps.sum(dim=1))


def gradcam(question: Question, *, layer: str | None = None) -> Tensor:
    """Where a layer's channels fire, each weighted by its mean gradient; enlarged to the image (bilinear).

    Selvaraju et al. (2017), Grad-CAM: visual explanations from deep networks via gradient-based localization.

    Parameters
    ----------
    layer : str, optional
        Name of a submodule of the encoder, such as ``"backbone.layer3"``. By default the deepest whose map is at
        least an eighth of the image wide: at 48 pixels the last layers of most networks have 2 or 3 pixels a side.
    """
    module = gradcam_layer(question.encoder, question.images[:1], layer)
    maps = LayerGradCam(question.score, module).attribute(**question.arguments)
    return torch.as_tensor(LayerAttribution.interpolate(maps, tuple(question.images.shape[2:]), "bilinear")[:, 0])


def _grey(fill: float) -> float:
    if not 0 <= fill <= 1:
        raise ValueError(f"fill is a grey value from 0 to 1, not {fill}.")
    return float(fill)


def _spread(raw: Maps) -> Maps:
    """From 0 at the least to 1 at the largest of each map."""
    return _scaled(raw - raw.min(axis=(1, 2), keepdims=True))


def _magnitude(raw: Maps) -> Maps:
    return _scaled(np.abs(raw))


def _support(raw: Maps) -> Maps:
    return _scaled(np.maximum(raw, 0))


def _scaled(values: Maps) -> Maps:
    largest = values.max(axis=(1, 2), keepdims=True)
    return np.asarray(values / np.where(largest > 0, largest, 1))


@dataclass(frozen=True)
class Method:
    """How signed values are found, and how they become a map in [0, 1]."""

    attribute: Callable[..., Tensor]
    normalise: Callable[[Maps], Maps]

    def check(self, name: str, parameters: dict[str, Any]) -> None:
        """Raise a TypeError for a parameter that the method does not have."""
        known = [
            each.name
            for each in inspect.signature(self.attribute).parameters.values()
            if each.kind == each.KEYWORD_ONLY
        ]
        for parameter in parameters:
            if parameter not in known:
                raise TypeError(f"{name} has no parameter {parameter!r}; it has {', '.join(known) or 'none'}.")


METHODS: dict[str, Method] = {
    "occlusion": Method(occlusion, _spread),
    "gradient": Method(gradient, _magnitude),
    "smoothgrad": Method(smoothgrad, _magnitude),
    "integrated_gradients": Method(integrated_gradients, _magnitude),
    "gradcam": Method(gradcam, _support),
}


def find_method(name: str) -> Method:
    """The method of that name; ValueError with all names where there is none."""
    if name not in METHODS:
        raise ValueError(f"there is no saliency method {name!r}: choose from {', '.join(METHODS)}.")
    return METHODS[name]
