"""What is trained: the encoder with the classification heads its losses ask for."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ferembed.models.encoder import Encoder


class CosineHead(nn.Module):
    """Logits proportional to the cosine between an embedding and one direction a class (Wang et al. 2017, NormFace).

    Parameters
    ----------
    embedding_dim, num_classes : int
    scale : float
        Initial length of the logits; learnt. It bounds a probability's confidence: with cosines in [-1, 1], 10 lets
        seven classes reach 0.99.
    """

    def __init__(self, embedding_dim: int, num_classes: int, scale: float = 10.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_classes, embedding_dim) / embedding_dim**0.5)
        self.log_scale = nn.Parameter(torch.tensor(scale).log())

    @property
    def coef(self) -> Tensor:
        """The head as a linear map of unit vectors, shape (c, d)."""
        return self.log_scale.exp() * F.normalize(self.weight, dim=1)

    def forward(self, embeddings: Tensor) -> Tensor:
        return F.linear(embeddings.float(), self.coef.float())


class Network(nn.Module):
    """An encoder and the heads its losses ask for.

    Parameters
    ----------
    encoder : Encoder
    num_classes : int
        Width of the softmax head; 0 for none, where only the embedding is learnt.
    num_vote_classes : int
        Width of the auxiliary head over annotators' votes; 0 for none.
    """

    def __init__(self, encoder: Encoder, num_classes: int = 0, num_vote_classes: int = 0) -> None:
        super().__init__()
        self.encoder = encoder
        self.softmax = CosineHead(encoder.embedding_dim, num_classes) if num_classes else None
        self.vote = CosineHead(encoder.embedding_dim, num_vote_classes) if num_vote_classes else None

    def voting(self) -> Network:
        """The same encoder and weights with the head over annotators' votes as the softmax head.

        Raises
        ------
        ValueError
            If the network has no such head.
        """
        if self.vote is None:
            raise ValueError("this network has no head over annotators' votes: train it with soft_cross_entropy.")
        network = Network(self.encoder)
        network.softmax = self.vote
        return network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Embeddings (n, d), logits (n, c) and vote logits (n, v), None where there is no head; images in [0, 1]."""
        embeddings = self.encoder(images)
        logits = None if self.softmax is None else self.softmax(embeddings)
        return embeddings, logits, None if self.vote is None else self.vote(embeddings)
