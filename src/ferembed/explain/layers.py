"""Which layer of an encoder Grad-CAM looks at."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def gradcam_layer(encoder: nn.Module, image: Tensor, name: str | None = None) -> nn.Module:
    """The named submodule, or the deepest whose output is a map at least an eighth of the image wide.

    Parameters
    ----------
    encoder : Module
        In evaluation mode.
    image : Tensor, shape (1, channels, h, w)
    name : str, optional

    Raises
    ------
    ValueError
        If there is no such layer, or its output is not a map of shape (n, channels, h, w).
    """
    maps = _map_sizes(encoder, image)
    if name is not None:
        if name not in maps:
            raise ValueError(
                f"{name!r} is no layer of the encoder that gives a map (n, channels, h, w): "
                f"choose from {', '.join(list(maps)[-20:])}."
            )
        return encoder.get_submodule(name)
    large = [each for each, width in maps.items() if 8 * width >= image.shape[-1]]
    if not large:
        raise ValueError(
            "no layer of this encoder gives a map (n, channels, h, w): gradcam needs one, take another method."
        )
    return encoder.get_submodule(large[-1])


def _map_sizes(encoder: nn.Module, image: Tensor) -> dict[str, int]:
    """Width of each layer's map, in the order in which the layers finish; a block finishes after its parts."""
    sizes: dict[str, int] = {}

    def note(name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(_: nn.Module, __: object, output: object) -> None:
            if isinstance(output, Tensor) and output.ndim == 4 and output.shape[2] == output.shape[3] > 1:
                sizes.pop(name, None)
                sizes[name] = output.shape[3]

        return hook

    handles = [module.register_forward_hook(note(name)) for name, module in encoder.named_modules() if name]
    try:
        with torch.no_grad():
            encoder(image)
    finally:
        for handle in handles:
            handle.remove()
    return sizes
