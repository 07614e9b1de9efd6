"""The Lightning module: one training step, one validation, the optimiser and its schedule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ferembed.losses import CombinedLoss, Outputs
from ferembed.models import Network
from ferembed.training._diagnostics import embedding_figures, named_rightly
from ferembed.training.distributed import gather_outputs
from ferembed.training.face_data import FaceBatch, step_seed
from ferembed.training.parts import OptimizerConfig
from ferembed.training.recipe import Recipe
from ferembed.training.teachers import answers


class MetricLearner(pl.LightningModule):
    """A network, the losses it is trained with, and k-NN accuracy as what validation selects by."""

    def __init__(
        self,
        recipe: Recipe,
        network: Network,
        loss: CombinedLoss,
        classes: Sequence[str],
        teachers: Sequence[Network] = (),
    ) -> None:
        super().__init__()
        self.recipe = recipe
        self.network = network
        self.loss = loss
        self.classes = tuple(classes)
        self._teachers = tuple(teachers)  # a tuple, so that they are neither trained nor saved
        self._means = RunningMeans()
        self._seen: list[list[tuple[Tensor, Tensor | None, Tensor]]] = [[], []]

    def on_train_start(self) -> None:
        for teacher in self._teachers:
            teacher.to(self.device)
        restore_layout(self.optimizers().optimizer)  # type: ignore[union-attr]
        self._choose_validation()

    def on_train_epoch_start(self) -> None:
        self._choose_validation()

    def _choose_validation(self) -> None:
        """Validate the last epoch in any case; a run that goes on in an epoch does not start it anew."""
        last = self.current_epoch + 1 == self.trainer.max_epochs
        self.trainer.check_val_every_n_epoch = 1 if last else self.recipe.validate_every

    def on_train_batch_start(self, batch: FaceBatch, batch_idx: int) -> None:
        torch.manual_seed(step_seed(self.recipe.seed, self.global_step, self.global_rank))

    def training_step(self, batch: FaceBatch, batch_idx: int) -> Tensor:
        embeddings, logits, vote_logits = self.network(batch.images)
        taught = answers(self._teachers, batch.images) if self._teachers else batch.taught
        outputs = Outputs(embeddings, batch.labels, logits, batch.votes, vote_logits, batch.targets, taught)
        total: Tensor
        total, parts = self.loss(gather_outputs(outputs))
        self._means.add({"loss": total.detach(), **parts})
        if self.trainer.is_last_batch:
            means = {f"train/{name}": value for name, value in self._means.take().items()}
            self.log_dict(means, on_step=False, on_epoch=True, sync_dist=True, batch_size=1)
        return total

    def validation_step(self, batch: FaceBatch, batch_idx: int, dataloader_idx: int) -> None:
        embeddings, logits, _ = self.network(batch.images)
        self._seen[dataloader_idx].append((embeddings.float(), logits, batch.labels))

    def on_validation_epoch_end(self) -> None:
        gallery, gallery_labels, _ = _joined(self._seen[0])
        queries, labels, logits = _joined(self._seen[1])
        self._seen = [[], []]
        figures = embedding_figures(queries, labels, gallery, gallery_labels, self.classes)
        self.log_dict({f"validation/{name}": value for name, value in figures.items()})
        if logits is not None:
            self.log("validation/softmax_accuracy", named_rightly(logits.float().softmax(dim=1), labels))
            self.log("validation/softmax_nll", F.cross_entropy(logits.float(), labels))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["means"] = self._means.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._means.load_state_dict(checkpoint["means"])
        loops = checkpoint["loops"]["fit_loop"]["state_dict"]
        self.trainer.datamodule.go_on_from(loops["combined_loader"][0])  # type: ignore[attr-defined]

    def configure_optimizers(self) -> Any:
        optimizer = make_optimizer(self, self.recipe.optimizer)
        # Lightning's own estimate would set the loader up before a checkpoint can restore its place.
        epoch = len(self.trainer.datamodule.train_dataloader())  # type: ignore[attr-defined]
        total, warmup = epoch * self.recipe.epochs, round(epoch * self.recipe.optimizer.warmup_epochs)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: warmup_cosine(step, warmup, total))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class RunningMeans:
    """Means of named scalars since they were last taken; a checkpoint in mid-epoch keeps them."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._count = 0

    def add(self, values: dict[str, Tensor]) -> None:
        for name, value in values.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value.clone()
        self._count += 1

    def take(self) -> dict[str, Tensor]:
        means = {name: value / self._count for name, value in self._sums.items()}
        self._sums, self._count = {}, 0
        return means

    def state_dict(self) -> dict[str, Any]:
        return {"sums": dict(self._sums), "count": self._count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._sums, self._count = dict(state["sums"]), int(state["count"])


def make_optimizer(module: nn.Module, config: OptimizerConfig) -> torch.optim.Optimizer:
    """The optimiser a recipe names; vectors and scalars (biases, normalisation) are not decayed."""
    # Lightning does not clip the gradients of fused optimisers under mixed precision.
    fused = config.clip_norm is None
    parameters = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if config.name == "adamw":
        return torch.optim.AdamW(groups, lr=config.lr, betas=(config.momentum, 0.999), fused=fused)
    nesterov = config.momentum > 0
    return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=nesterov, fused=fused)


def restore_layout(optimizer: torch.optim.Optimizer) -> None:
    """Lay the optimiser's tensors out in memory as their parameters are.

    A checkpoint holds them row by row, parameters may be channels-last, and the fused optimisers pair the two by their
    place in memory.
    """
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                state[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def warmup_cosine(step: int, warmup: int, total: int) -> float:
    """The share of the highest learning rate at a step: up in a straight line, then down half a cosine to zero."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, total - warmup))))


def _joined(batches: list[tuple[Tensor, Tensor | None, Tensor]]) -> tuple[Tensor, Tensor, Tensor | None]:
    embeddings, logits, labels = zip(*batches, strict=True)
    return torch.cat(embeddings), torch.cat(labels), None if logits[0] is None else torch.cat(logits)
