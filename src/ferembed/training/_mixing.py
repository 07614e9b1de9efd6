"""Mixup: images blended with others of their batch, and whatever is known about them blended alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Mix:
    """Which images mixup blends, and in what proportion; call it on anything with one row an image.

    Parameters
    ----------
    partner : Tensor of int64, shape (n,)
        Row blended into each row.
    share : Tensor of float32, shape (n,)
        Weight of the row itself, 0.5 to 1; the partner has the rest.

    Examples
    --------
    >>> Mix(torch.tensor([1, 0]), torch.tensor([0.75, 1.0]))(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    tensor([[0.7500, 0.2500],
            [0.0000, 1.0000]])
    """

    partner: Tensor
    share: Tensor

    @classmethod
    def draw(cls, n: int, alpha: float, generator: torch.Generator, device: torch.device | str = "cpu") -> Mix:
        """Random partners and shares for ``n`` images."""
        partner = torch.randperm(n, generator=generator, device=generator.device)
        seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
        drawn = np.random.default_rng(seed).beta(alpha, alpha, n) if alpha else np.ones(n)
        share = torch.from_numpy(np.maximum(drawn, 1 - drawn)).float()
        return cls(partner.to(device), share.to(device))

    def __call__(self, rows: Tensor) -> Tensor:
        """The blended rows, of the shape of ``rows``."""
        share = self.share.view(-1, *[1] * (rows.ndim - 1))
        return torch.lerp(rows[self.partner], rows, share.to(rows.dtype).expand_as(rows))


def mixup(
    images: Tensor, labels: Tensor, num_classes: int, alpha: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Images blended with others of the batch, and their mixed targets.

    Every image keeps at least half of itself, so its own label still names the larger share. Losses that know
    distributions (cross-entropy, squared hinge, SupCon, NT-Xent, contrastive) take the targets; those that compare
    labels (triplets, proxies and the rest) take each mixed image under that label. To blend votes alike, draw a ``Mix``
    and call it on images, targets and votes.

    Parameters
    ----------
    images : Tensor of float, shape (n, c, h, w)
        Pixels, after ``augment``.
    labels : Tensor of int64, shape (n,)
        Class of each image.
    num_classes : int
        Number of classes.
    alpha : float
        Parameter of the Beta distribution of the shares: 0.2 mixes little, 1 evenly, 0 not at all.
    generator : torch.Generator
        Source of all draws.

    Returns
    -------
    images : Tensor of float, shape (n, c, h, w)
    targets : Tensor of float32, shape (n, num_classes)
        Rows sum to 1.

    References
    ----------
    Zhang, Cisse, Dauphin and Lopez-Paz (2018), mixup: Beyond Empirical Risk Minimization.

    Examples
    --------
    >>> generator = torch.Generator().manual_seed(0)
    >>> images, targets = mixup(torch.rand(4, 1, 48, 48), torch.tensor([0, 1, 2, 0]), 3, 0.4, generator)
    >>> targets.argmax(dim=1).tolist()
    [0, 1, 2, 0]
    """
    mix = Mix.draw(len(images), alpha, generator, images.device)
    return mix(images), mix(F.one_hot(labels, num_classes).float())
