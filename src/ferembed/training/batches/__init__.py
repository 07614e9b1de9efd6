"""Which rows make up each batch: natural, class-balanced, or Siamese pairs."""

from ferembed.training.batches.pairs import PairBatches, hardest_negatives
from ferembed.training.batches.samplers import Batches, ClassBalancedBatches, NaturalBatches

__all__ = ["Batches", "ClassBalancedBatches", "NaturalBatches", "PairBatches", "hardest_negatives"]
