"""What makes embeddings of pixels: the network in PyTorch, or the same in ONNX Runtime, which starts sooner."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ferembed.models.files import Configured, EncoderFiles

if TYPE_CHECKING:
    from ferembed.models.encoder import Encoder

EngineName: TypeAlias = Literal["auto", "onnx", "int8", "torch"]
"""``"onnx"`` and ``"int8"`` are ONNX Runtime in 32-bit floats and in 8-bit integers; ``"auto"`` is the former where it
is installed and the recogniser has ``encoder.onnx``, else PyTorch."""

_AT_ONCE = 16
"""Faces a call of ONNX Runtime: more only leave the processor's cache."""


class Engine(Configured, ABC):
    """An encoder that takes and gives arrays."""

    @property
    @abstractmethod
    def encoder(self) -> Encoder:
        """The network in PyTorch, to be read and not to be changed."""

    @property
    @abstractmethod
    def files(self) -> EncoderFiles:
        """What is to be saved of it."""

    @abstractmethod
    def embed(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Unit vectors (n, d) of pixels in [0, 1], shape (n, channels, image_size, image_size)."""


class TorchEngine(Engine):
    """The network in PyTorch, on the device where it is."""

    def __init__(self, encoder: Encoder, files: EncoderFiles | None = None) -> None:
        self.config, self._encoder, self._files = encoder.config, encoder.eval(), files

    @property
    def encoder(self) -> Encoder:
        return self._encoder

    @property
    def files(self) -> EncoderFiles:
        weights = {name: value.detach().cpu().numpy() for name, value in self._encoder.state_dict().items()}
        return EncoderFiles(self.config, weights) if self._files is None else self._files.with_weights(weights)

    def embed(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        import torch

        with torch.inference_mode():
            device = next(self._encoder.parameters()).device
            embeddings: NDArray[np.float32] = self._encoder(torch.from_numpy(pixels).to(device)).cpu().numpy()
        return embeddings


class OnnxEngine(Engine):
    """The network in ONNX Runtime, on the processor's cores that this process may use, or ``OMP_NUM_THREADS`` of them.

    Parameters
    ----------
    files : EncoderFiles
        With a graph or, where ``int8``, an 8-bit file.
    int8 : bool
    """

    def __init__(self, files: EncoderFiles, *, int8: bool = False) -> None:
        self.config, self._files, self._int8 = files.config, files, int8
        self._encoder: list[Encoder] = []
        self._sessions: dict[int, Any] = {}  # by process; a child that ended its parent's would wait for its threads

    @property
    def encoder(self) -> Encoder:
        if not self._encoder:
            self._encoder.append(made(self._files))
        return self._encoder[0]  # of threads that made one each, the first

    @property
    def files(self) -> EncoderFiles:
        return self._files

    def embed(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        session = self._session()
        name = session.get_inputs()[0].name
        parts = [session.run(None, {name: pixels[i : i + _AT_ONCE]})[0] for i in range(0, len(pixels), _AT_ONCE)]
        return np.concatenate(parts)

    def _session(self) -> Any:
        """The session, made anew in a forked child, where the threads of its parent's are missing."""
        here = os.getpid()
        if here not in self._sessions:
            self._sessions[here] = _open(self._files, self._int8)
        return self._sessions[here]

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_sessions": {}}


def made(files: EncoderFiles) -> Encoder:
    """The network in PyTorch that the files describe."""
    import torch

    from ferembed.models.encoder import Encoder

    encoder = Encoder(**files.config)
    encoder.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in files.weights.items()})
    return encoder.eval()


def engine_for(files: EncoderFiles, name: EngineName = "auto") -> Engine:
    """What is to answer with an encoder.

    Raises
    ------
    ValueError
        If ``name`` is none, or the files lack what it needs.
    ImportError
        If it needs ONNX Runtime, which is missing.
    """
    if name not in (names := ("auto", "onnx", "int8", "torch")):
        raise ValueError(f"engine must be one of {', '.join(names)}, not {name!r}.")
    if name == "torch" or (name == "auto" and (files.graph is None or find_spec("onnxruntime") is None)):
        return TorchEngine(made(files), files)
    if (files.int8 if name == "int8" else files.graph) is None:
        option = " --int8 DATA" if name == "int8" else ""
        raise ValueError(
            f"this recogniser has no network for the engine {name!r}: write it by `ferembed export RUN{option}`."
        )
    if find_spec("onnxruntime") is None:
        raise ImportError(f"the engine {name!r} needs ONNX Runtime: pip install 'ferembed[onnx]'.")
    return OnnxEngine(files, int8=name == "int8")


def _open(files: EncoderFiles, int8: bool) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _threads()
    if int8:
        assert files.int8 is not None
        return onnxruntime.InferenceSession(files.int8.model, options, providers=["CPUExecutionProvider"])
    assert files.graph is not None
    weights = {name: onnxruntime.OrtValue.ortvalue_from_numpy(files.weights[name]) for name in files.graph.places}
    options.add_external_initializers(list(weights), list(weights.values()))
    return onnxruntime.InferenceSession(files.graph.model, options, providers=["CPUExecutionProvider"])


def _threads() -> int:
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]  # a list is of nested teams
    if asked.isdecimal() and int(asked):
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
