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

Weights = Mapping[str, NDArray[Any]]
Places = dict[str, tuple[int, int]]
"""Where the bytes of each array begin in a safetensors file, and how many they are."""


class Graph(NamedTuple):
    """An ONNX file whose weights lie in :data:`WEIGHTS` beside it."""

    model: bytes
    places: Places


@dataclass(frozen=True)
class EncoderFiles:
    """All that an encoder is made of."""

    config: dict[str, Any]
    """Arguments of :class:`~ferembed.models.Encoder`."""
    weights: Weights
    """Its ``state_dict``."""
    graph: Graph | None = None
    int8: bytes | None = None
    """An ONNX file of the network with these weights in 8 bits."""

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
            (folder / INT8).write_bytes(self.int8)
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
        int8 = (folder / INT8).read_bytes() if (folder / INT8).is_file() else None
        return cls(known["encoder"], load_file(folder / WEIGHTS), graph, int8)


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
