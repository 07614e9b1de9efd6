"""What is known of an encoder's layers from one look: the one for Grad-CAM, and norms that cost nothing."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights


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


def folded(encoder: nn.Module, image: Tensor) -> nn.Module:
    """A copy whose batch norms have gone into the convolutions before them: the same numbers, a fifth sooner.

    Parameters
    ----------
    encoder : Module
        In evaluation mode. It is not changed.
    image : Tensor, shape (1, channels, h, w)
        Shows which norm takes what a convolution gives.
    """
    lean = copy.deepcopy(encoder)
    given: list[tuple[nn.Conv2d, Tensor]] = []
    pairs: dict[nn.BatchNorm2d, nn.Conv2d] = {}

    def remember(convolution: nn.Module, _: object, output: Tensor) -> None:
        assert isinstance(convolution, nn.Conv2d)
        given.append((convolution, output))

    def match(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        for convolution, output in given:
            if output is inputs[0]:
                pairs[norm] = convolution

    # Subclasses do more than their names say, such as timm's norms that also activate: these stay as they are.
    modules = list(lean.modules())
    handles = [each.register_forward_hook(remember) for each in modules if type(each) is nn.Conv2d]
    handles += [each.register_forward_pre_hook(match) for each in modules if type(each) is nn.BatchNorm2d]
    with torch.no_grad():
        lean(image)
    for handle in handles:
        handle.remove()
    for norm, convolution in pairs.items():
        assert norm.running_mean is not None
        assert norm.running_var is not None
        convolution.weight, convolution.bias = fuse_conv_bn_weights(
            convolution.weight,
            convolution.bias,
            norm.running_mean,
            norm.running_var,
            norm.eps,
            norm.weight,
            norm.bias,
        )
    for module in modules:
        for name, part in module.named_children():
            if part in pairs:
                setattr(module, name, nn.Identity())
    return lean.to(memory_format=torch.channels_last)


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
