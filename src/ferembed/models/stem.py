"""A stem for small images: networks made for 224 pixels throw away most of a 48-pixel face in their first layers."""

from __future__ import annotations

from typing import Any

from torch import nn


def small_stem(backbone: nn.Module, *, stride: int, pool: bool) -> None:
    """Give a timm backbone a 3x3 first convolution, in place.

    The weights of the new convolution are freshly initialised.

    Parameters
    ----------
    backbone : Module
        A network from :func:`timm.create_model`.
    stride : int
        Step of the convolution in pixels.
    pool : bool
        Keep the stem's max-pool (halves each side) or take it out, where there is one.

    Raises
    ------
    ValueError
        If the backbone does not begin with a convolution that slides over the image (transformers that cut patches).
    """
    name = _first_convolution(backbone)
    parent = backbone.get_submodule(name.rpartition(".")[0])
    old: Any = backbone.get_submodule(name)
    new = nn.Conv2d(
        old.in_channels, old.out_channels, 3, stride=stride, padding=1, groups=old.groups, bias=old.bias is not None
    )
    nn.init.kaiming_normal_(new.weight, mode="fan_out", nonlinearity="relu")
    setattr(parent, name.rpartition(".")[2], new)
    if not pool and isinstance(getattr(backbone, "maxpool", None), nn.Module):
        backbone.maxpool = nn.Identity()


def _first_convolution(backbone: nn.Module) -> str:
    config: Any = getattr(backbone, "pretrained_cfg", None) or {}
    name = config.get("first_conv")
    candidates = [name] if isinstance(name, str) else list(name or ())
    for candidate in candidates:
        module = backbone.get_submodule(candidate)
        if isinstance(module, nn.Conv2d) and (module.kernel_size[0] > module.stride[0] or module.stride[0] == 1):
            return str(candidate)
    raise ValueError(
        f"{type(backbone).__name__} has no sliding first convolution to make small: "
        f"use stem='standard', or a convolutional backbone such as resnet18."
    )
