"""Encoders: timm backbones with stems for small faces and an embedding head."""

from ferembed.models.encoder import Encoder, Stem
from ferembed.models.network import Network

__all__ = ["Encoder", "Network", "Stem"]
