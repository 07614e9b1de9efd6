"""Backbones that timm has not, or not for 48 pixels; importing this module makes them known to timm."""

from __future__ import annotations

from typing import Any

from timm.models import register_model
from timm.models.vgg import VGG
from torch import Tensor, nn

VGG16 = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M")
"""Channels of the convolutions, and max-pools between them (Simonyan and Zisserman 2015, configuration D)."""


class KhanzadaCNN(nn.Module):
    """The baseline of Khanzada et al. (2020), Facial Expression Recognition with Deep Learning.

    Four 3x3 convolutions of 32 channels with batch normalisation, a 2x2 max-pool after every second, and dropout; the
    fully connected layer is the encoder's embedding head.
    """

    def __init__(self, in_chans: int, drop_rate: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for channels in (in_chans, 32):
            layers += [*_convolution(channels), *_convolution(32), nn.MaxPool2d(2)]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(drop_rate))

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.layers(images)
        return features


def _convolution(channels: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU()]


@register_model  # type: ignore[untyped-decorator]
def khanzada_cnn(in_chans: int = 1, drop_rate: float = 0.5, **of_timm: Any) -> nn.Module:
    """The small CNN, without a classifier."""
    return KhanzadaCNN(in_chans, drop_rate)


@register_model  # type: ignore[untyped-decorator]
def vgg16_48(in_chans: int = 1, width: float = 1.0, **of_timm: Any) -> nn.Module:
    """timm's VGG16 with batch normalisation, its features averaged: its 7x7 classifier does not fit 48 pixels."""
    channels = [each if isinstance(each, str) else int(each * width) for each in VGG16]
    # What would lie between the features and a classifier is made small, since it is taken out again.
    network: nn.Module = VGG(channels, num_classes=0, in_chans=in_chans, norm_layer=nn.BatchNorm2d, mlp_ratio=1 / 4096)
    network.pre_logits = nn.Identity()
    return network
