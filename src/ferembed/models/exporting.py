"""An encoder's graph for ONNX Runtime: in 32-bit floats beside its weights, and in 8-bit integers with its own."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferembed.models.engines import made
from ferembed.models.files import WEIGHTS, EncoderFiles, Graph, Int8, in_8_bits, places

OPSET = 20
"""The version of ONNX's operators that a graph is written in."""
_CALIBRATED = 64
"""Faces at a time that 8-bit ranges are measured on."""


def with_graph(files: EncoderFiles) -> EncoderFiles:
    """The encoder with its graph for ONNX Runtime, for any number of faces at once.

    The graph has the input ``faces``, pixels in [0, 1] of shape (n, channels, image_size, image_size), and the output
    ``embeddings``, unit vectors (n, d). Its weights are those of :data:`~ferembed.models.files.WEIGHTS`, by name and
    place, so that they lie on disk once.

    Raises
    ------
    ImportError
        If what writes it is not installed.
    """
    _needed()
    model = _exported(files)
    with tempfile.TemporaryDirectory() as folder:
        replace(files, graph=None, int8=None).write(Path(folder))
        found = places(Path(folder) / WEIGHTS)
    taken = _weights_left_out(model.graph, files, found)
    return replace(files, graph=Graph(model.SerializeToString(), taken))


def with_int8(files: EncoderFiles, pixels: NDArray[np.float32]) -> EncoderFiles:
    """The encoder with an 8-bit file: convolutions in integers, whose ranges are those that faces lead to.

    Weights are scaled channel by channel and take 7 of the 8 bits, so that processors that sum pairs of products in 16
    bits do not overflow. Squeeze-and-excitation, the pool and the head stay in floats: they cost little and bear least.

    Parameters
    ----------
    files : EncoderFiles
    pixels : ndarray of float32, shape (n, channels, image_size, image_size)
        Training faces, in [0, 1]; some hundreds.

    Raises
    ------
    ImportError
        If what writes it is not installed.
    """
    _needed()
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    with tempfile.TemporaryDirectory() as folder:
        whole, narrow = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        model = _exported(files, fused=True)
        add_pre_process_metadata(model)  # it is folded and fused, which spares the quantiser's advice to do so
        onnx.save(model, whole)
        quantize_static(
            whole,
            narrow,
            _Batches(pixels),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            nodes_to_exclude=_left_in_floats(model.graph),
        )
        return replace(files, int8=_with_weights_of(files, model.graph, onnx.load(narrow)))


class _Batches:
    """Faces as the quantiser asks for them."""

    def __init__(self, pixels: NDArray[np.float32]) -> None:
        self._batches: Iterator[dict[str, Any]] = (
            {"faces": pixels[start : start + _CALIBRATED]} for start in range(0, len(pixels), _CALIBRATED)
        )

    def get_next(self) -> dict[str, Any] | None:
        return next(self._batches, None)


def _needed() -> None:
    for package in ("onnx", "onnxruntime", "onnxscript"):
        if find_spec(package) is None:
            raise ImportError(f"writing a network for ONNX Runtime needs {package}: pip install 'ferembed[export]'.")


def _exported(files: EncoderFiles, *, fused: bool = False) -> Any:
    """The network as an ONNX model; ``fused`` has batch normalisations in the convolutions before them."""
    import torch
    from onnxscript import optimizer

    encoder = made(files)
    faces = torch.zeros(2, encoder.channels, encoder.image_size, encoder.image_size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program: Any = torch.onnx.export(
            encoder,
            (faces,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["faces"],
            output_names=["embeddings"],
            dynamic_shapes=({0: torch.export.Dim("n")},),
            optimize=fused,
            verbose=False,
        )
    if not fused:
        optimizer.fold_constants(program.model)
        optimizer.remove_unused_nodes(program.model)
    model = program.model_proto
    for named in (model.graph, *model.graph.node, *model.graph.initializer, *model.graph.value_info):
        del named.metadata_props[:]  # where in Python each came from
    return model


def _weights_left_out(graph: Any, files: EncoderFiles, found: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """Point the graph's weights to the file that has them; where the bytes of those that it has lie."""
    from onnx import TensorProto, numpy_helper
    from onnx.external_data_helper import set_external_data

    taken = {}
    for weight in graph.initializer:
        if weight.name not in found or not np.array_equal(numpy_helper.to_array(weight), files.weights[weight.name]):
            continue
        offset, length = taken[weight.name] = found[weight.name]
        set_external_data(weight, WEIGHTS, offset, length)
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
    return taken


def _with_weights_of(files: EncoderFiles, fused: Any, narrow: Any) -> Int8:
    """The 8-bit model with weights that are the network's times a factor a channel, rounded, where it has such.

    A factor joins the scale of the 8-bit numbers and the normalisation that was fused into the convolution.
    """
    from onnx import numpy_helper

    floats = {tensor.name: numpy_helper.to_array(tensor) for tensor in fused.initializer}
    tensors = {tensor.name: tensor for tensor in narrow.graph.initializer}
    made_again: dict[str, NDArray[Any]] = {}
    factors: dict[str, NDArray[np.float32]] = {}
    for name in files.weights.keys() & floats.keys():
        weight = files.weights[name]
        if name in tensors and weight.ndim > 1 and np.array_equal(numpy_helper.to_array(tensors[name]), weight):
            made_again[name] = weight
        if f"{name}_quantized" not in tensors:
            continue
        scale = numpy_helper.to_array(tensors[f"{name}_scale"])
        each = tuple(range(1, weight.ndim))
        stretch = (floats[name] * weight).sum(axis=each) / np.maximum(np.square(weight).sum(axis=each), 1e-30)
        factor = (stretch / scale).astype(np.float32)
        tensor, again = tensors[f"{name}_quantized"], in_8_bits(weight, factor)
        if np.abs(numpy_helper.to_array(tensor).astype(int) - again).max() <= 1:
            tensor.raw_data = again.tobytes()
            made_again[name], factors[name] = again, factor
    model = narrow.SerializeToString()
    found = {
        name: (model.index(data), len(data))
        for name, data in ((name, array.tobytes()) for name, array in made_again.items())
        if model.count(data) == 1
    }
    return Int8(model, found, factors)


def _left_in_floats(graph: Any) -> list[str]:
    """Names of the nodes that look at what a pool gave: the gates of squeeze-and-excitation, and the head."""
    pooled: set[str] = set()
    left = []
    for node in graph.node:
        gates = node.op_type == "Mul"
        if node.op_type in ("ReduceMean", "GlobalAveragePool") or (pooled & set(node.input) and not gates):
            left.append(node.name)
            pooled.update(node.output)
    return left
