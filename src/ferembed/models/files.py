"""An encoder as its files: the arguments that make the network, its weights, and its graph for ONNX Runtime."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

WEIGHTS, GRAPH, INT8 = "encoder.safetensors", "encoder.onnx", "encoder.int8.onnx"
"""The files: the graph takes its weights from the first, the 8-bit one has its own."""
FACTORS = "encoder.int8.safetensors"

Weights = Mapping[str, NDArray[Any]]
Places = dict[str, tuple[int, int]]
"""Where the bytes of each array begin in a safetensors file, and how many they are."""


class Graph(NamedTuple):
    """An ONNX file whose weights lie in :data:`WEIGHTS` beside it."""

    model: bytes
    places: Places


class Int8(NamedTuple):
    """An ONNX file of a network in 8 bits."""

    model: bytes
    places: Places
    """Where in it the bytes of weights lie that can be made again of the network's own."""
    factors: dict[str, NDArray[np.float32]]
    """What those in 8 bits are multiplied by before they are rounded, for each channel of the output, shape (c,). Those
    without factors are the network's floats."""

    is_bare: bool = False
    """Whether they are left out, for the sake of size; ONNX Runtime cannot read it so."""

    @property
    def bare(self) -> Int8:
        """Without those bytes: a small part of the size."""
        if self.is_bare:
            return self
        begin, parts = 0, []
        for offset, length in sorted(self.places.values()):
            parts.append(self.model[begin:offset])
            begin = offset + length
        return self._replace(model=b"".join([*parts, self.model[begin:]]), is_bare=True)

    def filled(self, weights: Weights) -> Int8:
        """A bare one with the bytes made again."""
        whole = bytearray()
        rest = self.model
        for name, (offset, _) in sorted(self.places.items(), key=lambda item: item[1]):
            gap = offset - len(whole)
            again = in_8_bits(weights[name], self.factors[name]) if name in self.factors else weights[name]
            whole += rest[:gap] + again.tobytes()
            rest = rest[gap:]
        return self._replace(model=bytes(whole + rest), is_bare=False)


class Configured:
    """What the arguments of an encoder say of the faces that it takes and the embeddings that it makes."""

    config: dict[str, Any]

    @property
    def image_size(self) -> int:
        """Side of the square input in pixels."""
        return int(self.config["image_size"])

    @property
    def channels(self) -> int:
        """1 for grey, 3 for RGB."""
        return int(self.config["channels"])

    @property
    def embedding_dim(self) -> int:
        """Length ``d`` of an embedding."""
        return int(self.config["embedding_dim"])


@dataclass(frozen=True)
class EncoderFiles:
    """All that an encoder is made of."""

    config: dict[str, Any]
    """Arguments of :class:`~ferembed.models.Encoder`."""
    weights: Weights
    """Its ``state_dict``."""
    graph: Graph | None = None
    int8: Int8 | None = None
    """With these weights."""

    @property
    def bare(self) -> EncoderFiles:
        """The same, for a file that is to be small."""
        return self if self.int8 is None else replace(self, int8=self.int8.bare)

    def with_weights(self, weights: Weights) -> EncoderFiles:
        """The same network with weights that may have changed; the 8-bit file stays where none has."""
        if all(np.array_equal(array, self.weights[name], equal_nan=True) for name, array in weights.items()):
            return self
        return replace(self, weights=weights, int8=None)

    def write(self, folder: Path) -> dict[str, Any]:
        """Write the files, and give what :meth:`read` needs to know besides them."""
        save_file({name: np.asarray(array, order="C") for name, array in self.weights.items()}, folder / WEIGHTS)
        known: dict[str, Any] = {"encoder": self.config}
        if self.int8 is not None:
            (folder / INT8).write_bytes(self.int8.model)
            save_file(self.int8.factors, folder / FACTORS)
            known["int8"] = {"places": self.int8.places, "bare": self.int8.is_bare}
        # Another version of safetensors may lay the weights out in another order, where the graph would not find them.
        if self.graph is not None and self.graph.places.items() <= places(folder / WEIGHTS).items():
            (folder / GRAPH).write_bytes(self.graph.model)
            known["graph"] = self.graph.places
        return known

    @classmethod
    def read(cls, folder: Path, known: Mapping[str, Any]) -> EncoderFiles:
        """Read what :meth:`write` wrote."""
        found = {name: tuple(place) for name, place in known.get("graph", {}).items()}
        graph = Graph((folder / GRAPH).read_bytes(), found) if found else None
        files = cls(known["encoder"], load_file(folder / WEIGHTS), graph)
        return replace(files, int8=files._read_int8(folder, known["int8"])) if "int8" in known else files

    def _read_int8(self, folder: Path, known: Mapping[str, Any]) -> Int8:
        found = {name: (offset, length) for name, (offset, length) in known["places"].items()}
        int8 = Int8((folder / INT8).read_bytes(), found, load_file(folder / FACTORS))
        return int8.filled(self.weights) if known["bare"] else int8


def in_8_bits(weight: NDArray[Any], factors: NDArray[np.float32]) -> NDArray[np.int8]:
    """A weight, shape (c, ...), times the factor of each channel, rounded to 8-bit integers."""
    scaled = weight.astype(np.float32) * factors.reshape(-1, *[1] * (weight.ndim - 1))
    return np.asarray(np.rint(scaled).clip(-128, 127), np.int8)


def places(file: Path) -> Places:
    """Where each array of a safetensors file lies in it."""
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        header = json.loads(opened.read(length))
    header.pop("__metadata__", None)
    first = 8 + length
    return {
        name: (first + begin, end - begin) for name, entry in header.items() for begin, end in [entry["data_offsets"]]
    }
