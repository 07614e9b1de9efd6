"""Augmentation of whole batches on their own device, without a loop over images."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from pydantic import Field, PositiveFloat, field_validator
from torch import Tensor

from ferembed.data.images import LUMA
from ferembed.training._mixing import Mix, mixup
from ferembed.training.parts import Part

__all__ = ["AugmentConfig", "Mix", "augment", "mixup"]

_DRAWS = (
    "flip", "angle", "scale", "shift_x", "shift_y", "crop_x", "crop_y", "brightness", "contrast", "saturation",
    "erase", "area", "aspect", "box_x", "box_y", "level", "cut_x", "cut_y",
)  # fmt: skip


class AugmentConfig(Part):
    """How far training images are changed at random. Each image has draws of its own; 0 switches a change off.

    Switching one change off leaves the draws of the others as they were.

    Examples
    --------
    >>> AugmentConfig(erasing=0).degrees
    15.0
    >>> AugmentConfig.none().flip
    0.0
    """

    flip: float = Field(default=0.5, ge=0, le=1)
    """Probability of mirroring left and right."""

    degrees: float = Field(default=15.0, ge=0, le=180)
    """Largest rotation to either side."""

    scale: tuple[PositiveFloat, PositiveFloat] = Field(default=(0.85, 1.15), strict=False)
    """Smallest and largest magnification."""

    translate: float = Field(default=0.12, ge=0, le=1)
    """Largest shift in each direction, as a fraction of the image's width and height."""

    crop: int = Field(default=0, ge=0)
    """Random crop: pixels of padding, by repeated edges, out of which the original size is cut again."""

    brightness: float = Field(default=0.2, ge=0, le=1)
    """Pixels are multiplied by a factor within this of 1."""

    contrast: float = Field(default=0.2, ge=0, le=1)
    """Differences from the image's mean are multiplied by a factor within this of 1."""

    saturation: float = Field(default=0.0, ge=0, le=1)
    """Differences from grey are multiplied by a factor within this of 1; only RGB images change."""

    erasing: float = Field(default=0.25, ge=0, le=1)
    """Probability of covering a rectangle with one random grey level (Zhong et al. 2020)."""

    erasing_area: tuple[PositiveFloat, PositiveFloat] = Field(default=(0.02, 0.2), strict=False)
    """Smallest and largest area of the rectangle, as a fraction of the image; its aspect is 0.3 to 3.3."""

    cutout: int = Field(default=0, ge=0)
    """Side in pixels of a square, centred anywhere, that is set to the image's mean (DeVries and Taylor 2017)."""

    noise: float = Field(default=0.0, ge=0)
    """Standard deviation of Gaussian noise added to pixels in [0, 1]."""

    mixup: float = Field(default=0.0, ge=0)
    """Parameter alpha of mixup's Beta distribution (Zhang et al. 2018); applied by ``mixup``, not by ``augment``."""

    @field_validator("scale", "erasing_area")
    @classmethod
    def _ordered(cls, bounds: tuple[float, float]) -> tuple[float, float]:
        if bounds[0] > bounds[1]:
            raise ValueError(f"the smallest comes first: ({bounds[1]}, {bounds[0]}), not {bounds}")
        return bounds

    @classmethod
    def none(cls) -> AugmentConfig:
        """The configuration that leaves every image as it is."""
        return cls(flip=0, degrees=0, scale=(1, 1), translate=0, brightness=0, contrast=0, erasing=0)


def augment(images: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Randomly changed copies of a batch of images.

    Rotation, magnification, shift, crop and mirror are one bilinear resampling, with edges repeated outwards.
    Brightness and contrast are one linear map.

    Parameters
    ----------
    images : Tensor of uint8, shape (n, h, w) or (n, c, h, w)
        Grey (c = 1) or RGB (c = 3) pixels.
    config : AugmentConfig
        What to change, and how far.
    generator : torch.Generator
        Source of all draws: the same state gives the same result. It may live on another device than the images.

    Returns
    -------
    Tensor of float32, shape (n, c, h, w)
        Pixels in [0, 1], on the device of ``images``.

    Raises
    ------
    ValueError
        If the images are not uint8 or not of such a shape.

    Examples
    --------
    >>> images = torch.randint(0, 256, (8, 48, 48), dtype=torch.uint8)
    >>> augment(images, AugmentConfig(), torch.Generator().manual_seed(0)).shape
    torch.Size([8, 1, 48, 48])
    """
    pixels = to_float(images)
    uniform = torch.rand(len(_DRAWS), len(pixels), generator=generator, device=generator.device)
    draws = dict(zip(_DRAWS, uniform.to(pixels.device), strict=True))
    pixels = _warp(pixels, config, draws)
    pixels = _recolour(pixels, config, draws)
    if config.erasing:
        pixels = _erase(pixels, config, draws)
    if config.cutout:
        pixels = _cut(pixels, config.cutout, draws)
    if config.noise:
        noise = torch.randn(pixels.shape, generator=generator, device=generator.device).to(pixels.device)
        pixels = (pixels + config.noise * noise).clamp_(0, 1)
    return pixels


def to_float(images: Tensor) -> Tensor:
    """Images of uint8, (n, h, w) or (n, c, h, w), as float32 in [0, 1] of shape (n, c, h, w)."""
    if images.dtype != torch.uint8 or images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[1] not in (1, 3)):
        raise ValueError(
            "images must be uint8 of shape (n, h, w), (n, 1, h, w) or (n, 3, h, w), "
            f"not {str(images.dtype).removeprefix('torch.')} of shape {tuple(images.shape)}."
        )
    return (images[:, None] if images.ndim == 3 else images).to(torch.float32).div_(255)


def _within(draw: Tensor, reach: float) -> Tensor:
    """A uniform draw from [0, 1) moved to [-reach, reach)."""
    return (2 * draw - 1) * reach


def _between(draw: Tensor, bounds: tuple[float, float]) -> Tensor:
    return bounds[0] + (bounds[1] - bounds[0]) * draw


def _warp(pixels: Tensor, config: AugmentConfig, draws: dict[str, Tensor]) -> Tensor:
    if not (config.flip or config.degrees or config.scale != (1, 1) or config.translate or config.crop):
        return pixels
    h, w = pixels.shape[-2:]
    mirror = 1 - 2 * (draws["flip"] < config.flip).float()
    angle = torch.deg2rad(_within(draws["angle"], config.degrees))
    zoom = _between(draws["scale"], config.scale)
    cos, sin = angle.cos() / zoom, angle.sin() / zoom
    # Where each output pixel is taken from, in coordinates that run from -1 to 1 across the image: (n, 2) a step of
    # x, a step of y and the origin. The grid's last axis is left strided, which spares an interleaving copy.
    step_x = torch.stack([cos, sin * (w / h)], dim=1) * mirror[:, None]
    step_y = torch.stack([-sin * (h / w), cos], dim=1)
    origin = torch.stack([_shift(draws, axis, size, config) for axis, size in (("x", w), ("y", h))], dim=1)
    x = (torch.arange(w, device=pixels.device) * 2 + 1) / w - 1
    y = (torch.arange(h, device=pixels.device) * 2 + 1) / h - 1
    along = step_x[:, :, None, None] * x
    down = step_y[:, :, None, None] * y[:, None] + origin[:, :, None, None]
    grid = (along + down).permute(0, 2, 3, 1)
    return F.grid_sample(pixels, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _shift(draws: dict[str, Tensor], axis: str, size: int, config: AugmentConfig) -> Tensor:
    """How far each image moves along an axis, where the image is 2 long; a crop moves it by whole pixels."""
    pixels = (draws[f"crop_{axis}"] * (2 * config.crop + 1)).floor() - config.crop
    return 2 * (_within(draws[f"shift_{axis}"], config.translate) + pixels / size)


def _recolour(pixels: Tensor, config: AugmentConfig, draws: dict[str, Tensor]) -> Tensor:
    if config.saturation and pixels.shape[1] == 3:
        luma = pixels.new_tensor(LUMA)[None, :, None, None]
        grey = (pixels * luma).sum(dim=1, keepdim=True)
        pixels = torch.lerp(grey, pixels, 1 + _spread(_within(draws["saturation"], config.saturation))).clamp_(0, 1)
    if config.brightness or config.contrast:
        factor = _spread(1 + _within(draws["brightness"], config.brightness))
        contrast = _spread(1 + _within(draws["contrast"], config.contrast))
        mean = pixels.mean(dim=(1, 2, 3), keepdim=True)
        pixels = torch.addcmul(factor * (1 - contrast) * mean, pixels, factor * contrast).clamp_(0, 1)
    return pixels


def _spread(value: Tensor) -> Tensor:
    """One number an image, (n,), shaped to multiply its pixels."""
    return value[:, None, None, None]


def _erase(pixels: Tensor, config: AugmentConfig, draws: dict[str, Tensor]) -> Tensor:
    h, w = pixels.shape[-2:]
    area = _between(draws["area"], config.erasing_area) * h * w
    aspect = torch.exp(_within(draws["aspect"], math.log(10 / 3)))
    height = (area * aspect).sqrt().clamp(max=h) * (draws["erase"] < config.erasing)
    width = (area / aspect).sqrt().clamp(max=w)
    inside = _box(pixels, draws["box_x"] * (w - width), draws["box_y"] * (h - height), width, height)
    return torch.where(inside, _spread(draws["level"]), pixels)


def _cut(pixels: Tensor, side: int, draws: dict[str, Tensor]) -> Tensor:
    h, w = pixels.shape[-2:]
    left, top = ((draws[f"cut_{axis}"] * size).floor() - side // 2 for axis, size in (("x", w), ("y", h)))
    square = torch.full_like(left, side)
    return torch.where(_box(pixels, left, top, square, square), pixels.mean(dim=(1, 2, 3), keepdim=True), pixels)


def _box(pixels: Tensor, left: Tensor, top: Tensor, width: Tensor, height: Tensor) -> Tensor:
    """Which pixels lie in a box of each image, boolean (n, 1, h, w); a pixel lies where its centre does."""
    h, w = pixels.shape[-2:]
    x = torch.arange(w, device=pixels.device) + 0.5
    y = torch.arange(h, device=pixels.device) + 0.5
    across = (x >= left[:, None]) & (x < (left + width)[:, None])
    down = (y >= top[:, None]) & (y < (top + height)[:, None])
    return (down[:, :, None] & across[:, None, :])[:, None]
