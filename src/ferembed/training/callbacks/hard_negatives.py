"""Hard negatives for Siamese pairs: the faces of other expressions that the network takes for most alike."""

from __future__ import annotations

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from ferembed.training.batches import PairBatches, hardest_negatives
from ferembed.training.face_data import FaceData
from ferembed.training.loaders import TrainingLoader

CANDIDATES = 10


class MineHardNegatives(Callback):
    """After each epoch but the last, gives the pair sampler the nearest faces of other classes of each training face.

    The embeddings are those of the network as it stands, of unchanged images. What is found is part of the sampler's
    state, so a run that is cut off goes on with the same pairs.
    """

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.current_epoch + 1 == trainer.max_epochs:
            return
        loader = trainer.train_dataloader
        assert isinstance(loader, TrainingLoader)
        assert isinstance(loader.sampler, PairBatches)
        found = None
        if trainer.is_global_zero:
            labels = loader.sampler.labels
            fewest = len(labels) - int(np.bincount(labels).max())
            found = hardest_negatives(training_embeddings(trainer, module), labels, min(CANDIDATES, fewest))
        # One process finds them for all: elsewhere they might differ in the last bit, and the epochs with them.
        loader.sampler.set_hard_negatives(trainer.strategy.broadcast(found))


@torch.no_grad()
def training_embeddings(trainer: pl.Trainer, module: pl.LightningModule) -> Tensor:
    """Embeddings (n, d) of all training faces, in the order of their rows, in float32."""
    data = trainer.datamodule  # type: ignore[attr-defined]
    assert isinstance(data, FaceData)
    encoder = module.network.encoder.eval()  # type: ignore[union-attr]
    try:
        with trainer.precision_plugin.forward_context():
            return torch.cat([encoder(batch.images).float() for batch in data.training_faces(module.device)])
    finally:
        encoder.train()
