"""The Lightning module: one training step, one validation, the optimiser and its schedule."""

from __future__ import annotations

import math
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ferembed.losses import CombinedLoss, Outputs
from ferembed.models import Network
from ferembed.training.faces import FaceBatch, step_seed
from ferembed.training.recipe import OptimizerConfig, Recipe

VALIDATION_K = 30
VALIDATION_TEMPERATURE = 0.05


class MetricLearner(pl.LightningModule):
    """A network, the losses it is trained with, and k-NN accuracy as what validation selects by."""

    def __init__(self, recipe: Recipe, network: Network, loss: CombinedLoss) -> None:
        super().__init__()
        self.recipe = recipe
        self.network = network
        self.loss = loss
        self._seen: list[list[tuple[Tensor, Tensor, Tensor]]] = [[], []]

    def on_train_batch_start(self, batch: FaceBatch, batch_idx: int) -> None:
        torch.manual_seed(step_seed(self.recipe.seed, self.global_step, self.global_rank))

    def training_step(self, batch: FaceBatch, batch_idx: int) -> Tensor:
        embeddings, logits, vote_logits = self.network(batch.images)
        outputs = Outputs(embeddings, batch.labels, logits=logits, votes=batch.votes, vote_logits=vote_logits)
        total: Tensor
        total, parts = self.loss(outputs)
        size = len(batch.labels)
        self.log("train/loss", total, on_step=False, on_epoch=True, batch_size=size, prog_bar=True)
        self.log_dict({f"train/{k}": v for k, v in parts.items()}, on_step=False, on_epoch=True, batch_size=size)
        return total

    def validation_step(self, batch: FaceBatch, batch_idx: int, dataloader_idx: int) -> None:
        embeddings, logits, _ = self.network(batch.images)
        self._seen[dataloader_idx].append((embeddings.float(), logits.float(), batch.labels))

    def on_validation_epoch_end(self) -> None:
        (gallery, _, gallery_labels), (queries, logits, labels) = (
            tuple(torch.cat(column) for column in zip(*batches, strict=True)) for batches in self._seen
        )
        self._seen = [[], []]
        votes = soft_vote(queries, gallery, gallery_labels, num_classes=logits.shape[1])
        self.log("validation/knn_accuracy", _accuracy(votes, labels), prog_bar=True)
        self.log("validation/softmax_accuracy", _accuracy(logits, labels))
        self.log("validation/softmax_nll", F.cross_entropy(logits, labels))

    def configure_optimizers(self) -> Any:
        optimizer = make_optimizer(self, self.recipe.optimizer)
        total = int(self.trainer.estimated_stepping_batches)
        warmup = round(self.recipe.optimizer.warmup_epochs * total / self.recipe.epochs)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: warmup_cosine(step, warmup, total))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def make_optimizer(module: nn.Module, config: OptimizerConfig) -> torch.optim.Optimizer:
    """The optimiser a recipe names; vectors and scalars (biases, normalisation) are not decayed."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if config.name == "adamw":
        return torch.optim.AdamW(groups, lr=config.lr, betas=(config.momentum, 0.999))
    return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=config.momentum > 0)


def warmup_cosine(step: int, warmup: int, total: int) -> float:
    """The share of the highest learning rate at a step: up in a straight line, then down half a cosine to zero."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, total - warmup))))


def soft_vote(queries: Tensor, gallery: Tensor, labels: Tensor, *, num_classes: int) -> Tensor:
    """Votes (q, c) of the nearest gallery faces, weighted by the softmax of their similarity."""
    similarity, rows = (queries @ gallery.T).topk(min(VALIDATION_K, len(gallery)), dim=1)
    weights = (similarity / VALIDATION_TEMPERATURE).softmax(dim=1)
    votes = queries.new_zeros(len(queries), num_classes)
    return votes.scatter_add_(1, labels[rows], weights)


def _accuracy(scores: Tensor, labels: Tensor) -> Tensor:
    return (scores.argmax(dim=1) == labels).float().mean()
