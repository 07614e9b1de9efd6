"""What a recogniser says of faces and of itself, without changing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ferembed.data.dataset import FaceDataset
from ferembed.data.known import near_copies
from ferembed.models.engines import TorchEngine
from ferembed.probability import most_probable
from ferembed.recognizer._later import MadeLater
from ferembed.recognizer.encoding import encode
from ferembed.recognizer.memory import Neighbors, among

if TYPE_CHECKING:
    from ferembed.estimators import SoftmaxHead
    from ferembed.faces.cropper import FindFaces
    from ferembed.faces.photos import Photo
    from ferembed.models import Encoder
    from ferembed.models.engines import Engine
    from ferembed.recognizer.encoding import Views
    from ferembed.recognizer.inputs import Faces
    from ferembed.recognizer.photos import Face
    from ferembed.recognizer.state import State


class Answering(MadeLater):
    """The part of :class:`~ferembed.recognizer.Recognizer` that answers questions."""

    @property
    def engine(self) -> Engine:
        """What answers: the network in PyTorch or in ONNX Runtime. Another of the same network may be put here."""
        return self._engine

    @engine.setter
    def engine(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def encoder(self) -> Encoder:
        """The network in PyTorch. From when it is first asked for it answers, so that what is done to it is heeded."""
        if not isinstance(self._engine, TorchEngine):
            self._engine = TorchEngine(self._engine.encoder, self._engine.files)
        return self._engine.encoder

    @encoder.setter
    def encoder(self, encoder: Encoder) -> None:
        self._engine = TorchEngine(encoder, self._engine.files)

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
        return encode(self._engine, images, views)

    def predict_proba(self, images: Faces, views: Views = "single") -> NDArray[np.float64]:
        """Calibrated probability of each class by the vote; shape (n, c), rows sum to 1."""
        return self._vote(self._state, images, views)

    def predict(self, images: Faces, views: Views = "single") -> NDArray[np.str_]:
        """The most probable class name of each image by the vote; shape (n,)."""
        state = self._state
        return np.asarray(np.array(state.classes)[most_probable(self._vote(state, images, views))])

    def neighbors(self, images: Faces, k: int = 5, views: Views = "single") -> Neighbors:
        """The ``k`` gallery faces nearest to each image."""
        return self._state.nearest(self.encode(images, views), k)

    def recognize(
        self,
        photo: Photo,
        *,
        faces: FindFaces | None = None,
        max_error: float | None = None,
        neighbors: int = 5,
        views: Views = "single",
    ) -> list[Face]:
        """The faces of a photo and their expressions.

        Parameters
        ----------
        photo : path, bytes, binary file, PIL image or array
            As :func:`ferembed.faces.read_photo` takes it.
        faces : callable, optional
            Finds and crops the faces of RGB pixels: a :class:`~ferembed.faces.FaceCropper`, by default one with dlib's
            detector, or :func:`~ferembed.faces.whole_photo` where the photo is a face already.
        max_error : float, optional
            A face is "unknown" where the vote is less sure than it has to be so that at most this share of the held-out
            faces is named wrongly (see :class:`~ferembed.estimators.RejectOption`). They calibrated the vote, too, so
            new faces may bring a little more. By default each face is named.
        neighbors : int
            How many gallery faces come with each.
        views : {"single", "flip", "ten_crop"}

        Returns
        -------
        list of Face
            From left to right; empty where no face is found.

        Raises
        ------
        DataError
            If the photo cannot be read.
        ImportError
            If the detector is not installed.
        StorageError
            If ``max_error`` is asked of a recogniser that was saved in format 1, without its held-out faces.

        Examples
        --------
        >>> import ferembed as fe
        >>> fe.load().recognize(np.zeros((240, 320), np.uint8), faces=lambda pixels: [])
        []
        """
        from ferembed.faces import FaceCropper, read_photo
        from ferembed.recognizer.photos import named_faces

        state, crop = self._state, FaceCropper() if faces is None else faces
        found = crop(read_photo(photo))
        embeddings = self.encode([face.crop for face in found], views)
        return named_faces(state, found, embeddings, max_error=max_error, neighbors=neighbors)

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

    def _vote(self, state: State, images: Faces, views: Views) -> NDArray[np.float64]:
        embeddings = self.encode(images, views)
        if not len(embeddings):
            return np.empty((0, len(state.classes)))
        return np.asarray(state.voters.vote.predict_proba(embeddings))
