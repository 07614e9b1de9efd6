"""The encoder: faces in, unit vectors out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ferembed.models.files import Configured

MEAN, STD = 0.5, 0.25
"""Every image is shifted and scaled by these before the backbone sees it."""

Stem = Literal["standard", "small", "small-pool", "small-stride"]
_STEMS: dict[str, dict[str, Any]] = {
    "small": {"stride": 1, "pool": False},
    "small-pool": {"stride": 1, "pool": True},
    "small-stride": {"stride": 2, "pool": False},
}


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


class Encoder(Configured, nn.Module):
    """A timm backbone and a linear embedding head; its outputs lie on the unit sphere.

    Parameters
    ----------
    backbone : str
        Any name of :func:`timm.list_models`.
    embedding_dim : int
        Length ``d`` of the embedding.
    image_size : int
        Side of the square input in pixels. Kept for those who prepare images; convolutional backbones accept others.
    channels : {1, 3}
        Grey or RGB input.
    stem : {"standard", "small", "small-pool", "small-stride"}
        ``"small"`` puts a 3x3, stride-1 convolution in place of the first one and takes the max-pool out;
        ``"small-pool"`` keeps the max-pool; ``"small-stride"`` has a stride of 2 and no max-pool, which ends at the
        same resolution for less work.
    backbone_args : mapping, optional
        Further arguments of :func:`timm.create_model`, such as ``{"channels": (32, 64, 128, 256)}`` for a ResNet of
        half width or ``{"drop_path_rate": 0.1}``.

    Raises
    ------
    ValueError
        If timm does not know the backbone (near names are listed), or it cannot take the stem.

    Examples
    --------
    >>> encoder = Encoder("resnet18", embedding_dim=64, channels=1, stem="small-pool").eval()
    >>> faces = torch.zeros(2, 1, 48, 48)
    >>> encoder(faces).shape, encoder(faces).norm(dim=1).allclose(torch.ones(2))
    (torch.Size([2, 64]), True)
    """

    def __init__(
        self,
        backbone: str = "resnet18",
        embedding_dim: int = 128,
        image_size: int = 48,
        *,
        channels: int = 1,
        stem: Stem = "small-pool",
        backbone_args: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if channels not in (1, 3):
            raise ValueError(f"channels must be 1 (grey) or 3 (RGB), not {channels}.")
        self.config: dict[str, Any] = {
            "backbone": backbone,
            "embedding_dim": embedding_dim,
            "image_size": image_size,
            "channels": channels,
            "stem": stem,
            "backbone_args": dict(backbone_args or {}),
        }
        self.backbone = _create_backbone(backbone, channels, image_size, self.config["backbone_args"])
        if stem != "standard":
            small_stem(self.backbone, **_STEMS[stem])
        self._narrow = any(_narrow(each) for each in self.backbone.modules())
        self.head = nn.Linear(_feature_dim(self.backbone, channels, image_size), embedding_dim)

    @property
    def memory_format(self) -> torch.memory_format:
        """How images, and weights that learn, should lie in memory: channels last, but for some narrow backbones.

        oneDNN writes the gradient of a strided 1x1 convolution of fewer than 16 channels past its memory when channels
        come last (https://github.com/uxlfoundation/oneDNN/issues/6035).
        """
        return torch.contiguous_format if self._narrow else torch.channels_last

    def forward(self, images: Tensor) -> Tensor:
        """Embeddings of faces.

        Parameters
        ----------
        images : Tensor of float, shape (n, channels, h, w)
            Pixels in [0, 1]. Faces of another size are scaled to ``image_size``, bilinearly.

        Returns
        -------
        Tensor of float32, shape (n, d)
            Unit vectors.
        """
        size = (self.image_size, self.image_size)
        if images.shape[-2:] != size:
            images = F.interpolate(images, size, mode="bilinear", antialias=True)
        # `contiguous` would leave the strides of grey images as they are, and pooling then takes ten times as long.
        images = ((images - MEAN) / STD).to(memory_format=self.memory_format)
        embeddings = self.head(self.backbone(images))
        return F.normalize(embeddings.float(), dim=1)


def _narrow(module: nn.Module) -> bool:
    return (
        isinstance(module, nn.Conv2d)
        and module.kernel_size == (1, 1)
        and module.stride != (1, 1)
        and module.in_channels // module.groups < 16
    )


def _create_backbone(name: str, channels: int, image_size: int, arguments: Mapping[str, Any]) -> nn.Module:
    import timm

    if not timm.is_model(name):
        near = timm.list_models(f"*{name[:6]}*")[:8]
        hint = f"; near it: {', '.join(near)}" if near else ""
        raise ValueError(f"timm has no model named {name!r}{hint}. timm.list_models() names them all.")
    arguments = dict(arguments)
    if "channels" in arguments:
        arguments["channels"] = tuple(arguments["channels"])
    try:
        model: nn.Module = timm.create_model(name, num_classes=0, in_chans=channels, img_size=image_size, **arguments)
    except TypeError:
        model = timm.create_model(name, num_classes=0, in_chans=channels, **arguments)
    return model


def _feature_dim(backbone: nn.Module, channels: int, image_size: int) -> int:
    training = backbone.training
    try:
        with torch.inference_mode():
            features = backbone.eval()(torch.zeros(1, channels, image_size, image_size))
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"{type(backbone).__name__} cannot take {image_size} x {image_size} images with this stem ({error}): "
            f"try stem='standard' or a larger image_size."
        ) from error
    backbone.train(training)
    return int(features.shape[1])
