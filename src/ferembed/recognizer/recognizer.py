"""The recogniser: what it says of faces, how it learns and forgets expressions, and its folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ferembed.data.dataset import DataError, FaceDataset
from ferembed.labels import canonical
from ferembed.models.engines import EngineName, TorchEngine, engine_for
from ferembed.recognizer._answering import Answering
from ferembed.recognizer._later import Turn
from ferembed.recognizer.encoding import codes_among, encode, faces_of, seen_by
from ferembed.recognizer.folder import Saved, read_folder, write_folder
from ferembed.recognizer.memory import HeldOutFaces, check_splits
from ferembed.recognizer.packed import pack, read_packed

if TYPE_CHECKING:
    from ferembed.models import Encoder, Network
    from ferembed.models.engines import Engine
    from ferembed.recognizer.inputs import Faces
    from ferembed.recognizer.state import State

_CHANGING = Turn()
"""Of whoever changes or writes a recogniser; whoever asks one reads a state that nobody changes."""


class Recognizer(Answering):
    """Names the expression of a face, with calibrated probabilities and the training faces that speak for it.

    Made by :func:`ferembed.train` or :meth:`build`, or read back with :meth:`load`. Every method takes images as
    :func:`~ferembed.recognizer.inputs.prepare_images` does; one image is a batch of one. Where a method takes
    ``views``, the mean embedding of several looks at each image decides: ``"single"`` the image itself, ``"flip"`` it
    and its mirror, ``"ten_crop"`` five crops and their mirrors (see :func:`ferembed.recognizer.encoding.test_views`).

    Attributes
    ----------
    info : dict
        JSON values kept with it.
    """

    def __init__(self, encoder: Encoder, state: State, info: Mapping[str, Any] | None = None) -> None:
        self._engine: Engine = TorchEngine(encoder)
        self.info = dict(info or {})
        self._state = state
        self._saved: Saved | None = None

    @classmethod
    def build(
        cls,
        network: Network,
        train: FaceDataset,
        validation: FaceDataset,
        *,
        votes: NDArray[np.float32] | None = None,
        info: Mapping[str, Any] | None = None,
    ) -> Recognizer:
        """Bind a trained network to a gallery and calibrate its voters.

        Parameters
        ----------
        network : Network
            Its encoder makes the embeddings; its own head is the softmax voter, or, where it has none, a logistic
            regression over the gallery.
        train : FaceDataset
            The gallery; blank images are left out.
        validation : FaceDataset
            Decides how many neighbours vote, the temperatures and the weights of the vote, nothing else.
        votes : ndarray of float, shape (len(train), c), optional
            Distributions that the gallery's faces vote for in place of their labels.
        info : mapping, optional
            JSON values to keep with the recogniser, such as the recipe and the seed.

        Raises
        ------
        DataError
            If the two splits name different classes, or a class has no training image.
        """
        from ferembed.recognizer.state import State

        engine = TorchEngine(network.encoder)
        train, validation = (seen_by(engine, faces) for faces in (train, validation))
        votes = None if votes is None else votes[~train.blank]
        train, validation = train.without_blank(), validation.without_blank()
        check_splits(train, validation)
        gallery = encode(engine, train.images)
        held_out = HeldOutFaces(encode(engine, validation.images), validation.labels, validation.hashes)
        return cls(network.encoder, State.of(network, train, gallery, held_out, votes), info)

    def enroll(self, label: str, images: Faces, *, save: bool = True) -> None:
        """Add faces of an expression, new or known, to the gallery and calibrate the voters again.

        A new expression becomes the last of ``classes_``. The encoder stays as it is. The softmax voter gets a column
        for the new expression, learnt from the enrolled faces against the held-out ones. The enrolled faces calibrate,
        too: the k-NN is asked about each without it, the softmax about each fifth without that fifth. Their weight is
        as large as the held-out faces of trained expressions bear without losing more than half a point of accuracy.

        Parameters
        ----------
        label : str
            Name of the expression, in any spelling that :func:`~ferembed.labels.canonical` brings to one.
        images : Faces
            Two at least for a new expression; a few dozen are good. Copies count once.
        save : bool
            Whether the folder the recogniser was loaded from or last saved to, if there is one, is written anew.

        Raises
        ------
        DataError
            If the label is no name, an image cannot be read or is blank, or too few are new to the gallery's faces of
            this label.
        StorageError
            If the recogniser was saved in format 1, without its held-out faces: see :meth:`calibrate`; or if its folder
            was written by another process since.
        """
        if not isinstance(label, str) or not canonical(label):
            raise DataError(f"label must be the name of an expression, not {label!r}.")
        faces = faces_of(self._engine, images, label)
        embeddings = self.encode(faces.images)
        self._become(lambda state: state.with_enrolled(label, faces, embeddings), save)

    def forget(self, label: str, *, save: bool = True) -> None:
        """Take an expression, its gallery faces and its held-out faces out, and calibrate the voters again.

        Parameters
        ----------
        label : str
            One of ``classes_``, enrolled or trained.
        save : bool
            As for :meth:`enroll`.

        Raises
        ------
        DataError
            If there is no such expression, or fewer than two trained ones would be left.
        StorageError
            If the recogniser was saved in format 1, without its held-out faces: see :meth:`calibrate`.
        """
        self._become(lambda state: state.without(label), save)

    def calibrate(self, validation: FaceDataset, *, save: bool = True) -> None:
        """Calibrate the voters and weigh their votes on other faces than those that did so far.

        Parameters
        ----------
        validation : FaceDataset
            Faces that are not in the gallery, of trained expressions; blank ones are left out.
        save : bool
            As for :meth:`enroll`.

        Raises
        ------
        DataError
            If it names an expression that was not trained.
        """
        validation = seen_by(self._engine, validation).without_blank()
        labels = codes_among(self._state.classes[: self._state.trained], validation)
        held_out = HeldOutFaces(self.encode(validation.images), labels, validation.hashes)
        self._become(lambda state: state.calibrated_by(held_out), save)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the recogniser to a folder, whole or not at all; later changes are written there too.

        The folder is new, is empty, or holds a saved recogniser and nothing else (StorageError names what is in the
        way); in the folder of a run ``recognizer/`` is written.
        """
        with _CHANGING:
            self._saved = write_folder(path, self._engine.files, self._state, self.info)

    def export(self, file: str | os.PathLike[str]) -> None:
        """Write the recogniser into one file of about a third of the size: weights in 16 bits, gallery in 8."""
        with tempfile.TemporaryDirectory() as folder:
            write_folder(Path(folder) / "recognizer", self._engine.files.bare, self._state, self.info)
            pack({"": Path(folder) / "recognizer"}, Path(file))

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, engine: EngineName = "auto") -> Recognizer:
        """Read a recogniser from its folder, from the folder of the run that made it, or from an exported file.

        What is enrolled into or forgotten from an exported one stays in memory until :meth:`save`.

        Parameters
        ----------
        path : path
        engine : {"auto", "onnx", "int8", "torch"}
            What answers: ONNX Runtime in floats (``"onnx"``) or 8-bit integers (``"int8"``), or PyTorch. By default the
            first where it is installed and ``ferembed export`` wrote its network, else the last.

        Raises
        ------
        StorageError
            If there is none, or a file is missing, truncated or altered.
        ValueError
            If there is no such engine, or not for this recogniser; ImportError if ONNX Runtime is missing.
        """
        if Path(path).is_file():
            return cls.later(*read_packed(Path(path), engine=engine))
        saved, files, state, info = read_folder(Path(path))
        recognizer = cls.later(lambda: (engine_for(files, engine), state), info)
        recognizer._saved = saved
        return recognizer

    def _become(self, changed: Callable[[State], State], save: bool) -> None:
        """Take on another state, unless it cannot be saved."""
        with _CHANGING:
            state = changed(self._state)
            if save and self._saved is not None:
                self._saved = write_folder(self._saved.folder, self._engine.files, state, self.info, self._saved.state)
            self._state = state
