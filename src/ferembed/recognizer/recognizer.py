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
from ferembed.data.known import near_copies
from ferembed.labels import canonical
from ferembed.models import Encoder, Network
from ferembed.probability import most_probable
from ferembed.recognizer._later import MadeLater, Turn
from ferembed.recognizer.encoding import codes_among, encode, faces_of, seen_by
from ferembed.recognizer.folder import Saved, read_folder, write_folder
from ferembed.recognizer.memory import HeldOutFaces, Neighbors, among, check_splits
from ferembed.recognizer.packed import pack, read_packed

if TYPE_CHECKING:
    from ferembed.estimators import SoftmaxHead
    from ferembed.recognizer.encoding import Views
    from ferembed.recognizer.inputs import Faces
    from ferembed.recognizer.state import State

_CHANGING = Turn()
"""Of whoever changes or writes a recogniser; whoever asks one reads a state that nobody changes."""


class Recognizer(MadeLater):
    """Names the expression of a face, with calibrated probabilities and the training faces that speak for it.

    Made by :func:`ferembed.train` or :meth:`build`, or read back with :meth:`load`. Every method takes images as
    :func:`~ferembed.recognizer.inputs.prepare_images` does; one image is a batch of one. Where a method takes
    ``views``, the mean embedding of several looks at each image decides: ``"single"`` the image itself, ``"flip"`` it
    and its mirror, ``"ten_crop"`` five crops and their mirrors (see :func:`ferembed.recognizer.encoding.test_views`).

    Attributes
    ----------
    encoder : Encoder
    info : dict
        JSON values kept with it.
    """

    def __init__(self, encoder: Encoder, state: State, info: Mapping[str, Any] | None = None) -> None:
        self.encoder = encoder.eval()
        self.info = dict(info or {})
        self._state = state
        self._saved: Saved | None = None

    @property
    def classes_(self) -> NDArray[np.str_]:
        """Class names, the order of the columns of every probability: trained, then enrolled; shape (c,)."""
        return np.array(self._state.classes)

    @property
    def voters(self) -> dict[str, Any]:
        """Calibrated scikit-learn classifiers over embeddings (n, d), whose labels are numbers into ``classes_``.

        The members of the vote, ``"softmax"`` and ``"knn"``, and the vote itself, ``"vote"``.
        """
        return self._state.voters._asdict()

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

        encoder = network.encoder.eval()
        train, validation = (seen_by(encoder, faces) for faces in (train, validation))
        votes = None if votes is None else votes[~train.blank]
        train, validation = train.without_blank(), validation.without_blank()
        check_splits(train, validation)
        gallery = encode(encoder, train.images)
        held_out = HeldOutFaces(encode(encoder, validation.images), validation.labels, validation.hashes)
        return cls(encoder, State.of(network, train, gallery, held_out, votes), info)

    @property
    def trained_head(self) -> tuple[SoftmaxHead, tuple[str, ...]]:
        """The softmax classifier as it was trained, uncalibrated, and the names of its classes."""
        state = self._state
        return state.head, state.classes[: state.trained]

    @property
    def learnt_votes(self) -> bool:
        """Whether it names faces as their annotators' votes do."""
        return bool(self.info.get("labels", self.info.get("recipe", {}).get("labels")) == "votes")

    @property
    def gallery_ids(self) -> NDArray[np.int64]:
        """Row numbers, in the training data's source, of the gallery faces; negative for enrolled ones. Shape (g,)."""
        gallery = self._state.gallery
        return gallery.ids[gallery.present]

    @property
    def gallery_labels(self) -> NDArray[np.str_]:
        """Class names of the gallery faces; shape (g,)."""
        state = self._state
        return np.asarray(np.array(state.classes)[state.gallery.labels[state.gallery.present]])

    @property
    def gallery_embeddings(self) -> NDArray[np.float32]:
        """Embeddings of the gallery faces: a copy of the unit vectors, shape (g, d)."""
        state = self._state
        return np.asarray(state.knn.index_.reconstruct(np.flatnonzero(state.gallery.present)))

    def encode(self, images: Faces, views: Views = "single") -> NDArray[np.float32]:
        """Embeddings of faces: unit vectors of shape (n, d).

        Raises
        ------
        DataError
            If an image has another shape, type or range, or a file cannot be decoded; ValueError for other ``views``.
        """
        return encode(self.encoder, images, views)

    def predict_proba(self, images: Faces, views: Views = "single") -> NDArray[np.float64]:
        """Calibrated probability of each class by the vote; shape (n, c), rows sum to 1."""
        return self._vote(self._state, images, views)

    def predict(self, images: Faces, views: Views = "single") -> NDArray[np.str_]:
        """The most probable class name of each image by the vote; shape (n,)."""
        state = self._state
        return np.asarray(np.array(state.classes)[most_probable(self._vote(state, images, views))])

    def neighbors(self, images: Faces, k: int = 5, views: Views = "single") -> Neighbors:
        """The ``k`` gallery faces nearest to each image."""
        state, embeddings = self._state, self.encode(images, views)
        if len(embeddings):
            distances, rows = state.knn.kneighbors(embeddings, n_neighbors=k)
        else:
            distances, rows = np.empty((0, k)), np.empty((0, k), np.int64)
        labels = np.array(state.classes)[state.gallery.labels[rows]]
        return Neighbors((1 - distances).astype(np.float32), labels, state.gallery.ids[rows])

    def copies_in_gallery(self, faces: FaceDataset, *, exact: bool = False) -> NDArray[np.bool_]:
        """Whether each face is identical to one of the gallery or, unless ``exact``, known to show its photo; (n,)."""
        hashes, gallery = faces.hashes, self._state.gallery.hashes
        return among(hashes, gallery) | (not exact and near_copies(hashes, gallery))

    def calibrated_on(self, faces: FaceDataset) -> NDArray[np.bool_]:
        """Whether each face is pixel for pixel among those that calibrated the voters; shape (n,).

        All False where the recogniser was saved in format 1, which did not keep them.
        """
        held_out = self._state.held_out
        return among(faces.hashes, np.zeros((0, 20), np.uint8) if held_out is None else held_out.hashes)

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
        faces = faces_of(self.encoder, images, label)
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
        validation = seen_by(self.encoder, validation).without_blank()
        labels = codes_among(self._state.classes[: self._state.trained], validation)
        held_out = HeldOutFaces(self.encode(validation.images), labels, validation.hashes)
        self._become(lambda state: state.calibrated_by(held_out), save)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the recogniser to a folder, whole or not at all; later changes are written there too.

        The folder is new, is empty, or holds a saved recogniser and nothing else (StorageError names what is in the
        way); in the folder of a run ``recognizer/`` is written.
        """
        with _CHANGING:
            self._saved = write_folder(path, self.encoder, self._state, self.info)

    def export(self, file: str | os.PathLike[str]) -> None:
        """Write the recogniser into one file of about a third of the size: weights in 16 bits, gallery in 8."""
        with tempfile.TemporaryDirectory() as folder:
            write_folder(Path(folder) / "recognizer", self.encoder, self._state, self.info)
            pack({"": Path(folder) / "recognizer"}, Path(file))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Recognizer:
        """Read a recogniser from its folder, from the folder of the run that made it, or from an exported file.

        What is enrolled into or forgotten from an exported one stays in memory until :meth:`save`.

        Raises
        ------
        StorageError
            If there is none, or a file is missing, truncated or altered.
        """
        if Path(path).is_file():
            return cls.later(*read_packed(Path(path)))
        saved, encoder, state, info = read_folder(Path(path))
        recognizer = cls(encoder, state, info)
        recognizer._saved = saved
        return recognizer

    def _vote(self, state: State, images: Faces, views: Views) -> NDArray[np.float64]:
        embeddings = self.encode(images, views)
        if not len(embeddings):
            return np.empty((0, len(state.classes)))
        return np.asarray(state.voters.vote.predict_proba(embeddings))

    def _become(self, changed: Callable[[State], State], save: bool) -> None:
        """Take on another state, unless it cannot be saved."""
        with _CHANGING:
            state = changed(self._state)
            if save and self._saved is not None:
                self._saved = write_folder(self._saved.folder, self.encoder, state, self.info, self._saved.state)
            self._state = state
