"""The recogniser: an encoder, a gallery of training faces and the calibrated voters that read it, in one folder."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss

from ferembed.data.augmentation import test_views
from ferembed.data.dataset import DataError, FaceDataset
from ferembed.data.inputs import prepare_images
from ferembed.estimators import CalibratedClassifier, KNNClassifier, SoftmaxHead, VotingEnsemble
from ferembed.models import Encoder, Network
from ferembed.storage import StorageError, atomic_folder, verify_folder, write_json

if TYPE_CHECKING:
    from ferembed.data.augmentation import Views
    from ferembed.data.inputs import Faces

FORMAT = 1
NEIGHBOURS = (5, 10, 20, 50, 100, 200)
TEMPERATURES = (0.05, 0.1)
VOTE = "vote"
MEMBERS: dict[str, type[Any]] = {"softmax": SoftmaxHead, "knn": KNNClassifier}


class Neighbors(NamedTuple):
    """The gallery faces nearest to each query, best first; all of shape (n, k)."""

    similarities: NDArray[np.float32]
    """Cosines, -1 to 1."""
    labels: NDArray[np.str_]
    """Class names."""
    ids: NDArray[np.int64]
    """Row numbers in the training data's source."""


class Recognizer:
    """Names the expression of a face, with calibrated probabilities and the training faces that speak for it.

    Made by :func:`ferembed.train` or :meth:`build`, or read back with :meth:`load`. Every method takes one image or a
    batch: uint8 arrays, or floats in [0, 1], of shape (h, w), (n, h, w), (h, w, 3) or (n, h, w, 3), PIL images, paths,
    or a sequence of these; one image is a batch of one. Where a method takes ``views``, the embeddings of several looks
    at each image are averaged and brought back to unit length: ``"single"`` is the image as it is, ``"flip"`` the image
    and its mirror, ``"ten_crop"`` five crops and their mirrors (see :func:`ferembed.data.augmentation.test_views`).

    Attributes
    ----------
    classes_ : ndarray of str, shape (c,)
        Class names; the order of the columns of every probability.
    encoder : Encoder
    voters : dict of str to classifier
        The members of the vote, ``"softmax"`` and ``"knn"``, and the vote itself, ``"vote"``: calibrated scikit-learn
        classifiers over embeddings (n, d), whose labels are numbers into ``classes_``.
    """

    def __init__(
        self,
        encoder: Encoder,
        classes: Sequence[str],
        members: Mapping[str, CalibratedClassifier],
        vote: VotingEnsemble,
        gallery: Mapping[str, NDArray[Any]],
        info: Mapping[str, Any] | None = None,
    ) -> None:
        self.encoder = encoder.eval()
        self.classes_: NDArray[np.str_] = np.array(classes)
        self.voters: dict[str, Any] = {**members, VOTE: vote}
        self.info = dict(info or {})
        self._gallery = dict(gallery)

    @classmethod
    def build(
        cls, network: Network, train: FaceDataset, validation: FaceDataset, *, info: Mapping[str, Any] | None = None
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
        info : mapping, optional
            JSON values to keep with the recogniser, such as the recipe and the seed.

        Raises
        ------
        DataError
            If the two splits name different classes, or a class has no training image.
        """
        train, validation = train.without_blank(), validation.without_blank()
        if train.classes != validation.classes:
            raise DataError(f"train names the classes {train.classes}, validation {validation.classes}.")
        empty = [name for name, count in train.class_counts().items() if not count]
        if empty:
            raise DataError(f"no training image shows {', '.join(empty)}: leave the class out or add images.")
        encoder = network.encoder.eval()
        gallery, queries = _encode(encoder, train.images), _encode(encoder, validation.images)
        classifiers = {
            "softmax": _softmax_head(network, gallery, train.labels),
            "knn": _best_knn(gallery, train.labels, queries, validation.labels),
        }
        members = {name: _calibrated(each, queries, validation.labels) for name, each in classifiers.items()}
        frozen = [(name, FrozenEstimator(member)) for name, member in members.items()]
        vote = VotingEnsemble(frozen, calibration=None).fit(queries, validation.labels)
        columns: dict[str, NDArray[Any]] = {"ids": train.ids, "labels": train.labels, "hashes": _hash_bytes(train)}
        return cls(encoder, train.classes, members, vote, columns, info)

    @property
    def gallery_ids(self) -> NDArray[np.int64]:
        """Row numbers, in the training data's source, of the gallery faces; shape (g,)."""
        return self._gallery["ids"]

    @property
    def gallery_labels(self) -> NDArray[np.str_]:
        """Class names of the gallery faces; shape (g,)."""
        names: NDArray[np.str_] = self.classes_[self._gallery["labels"]]
        return names

    @property
    def gallery_embeddings(self) -> NDArray[np.float32]:
        """Embeddings of the gallery faces: a copy of the unit vectors, shape (g, d)."""
        index = self.voters["knn"].estimator_.index_
        return np.asarray(index.reconstruct(index.ids))

    def encode(self, images: Faces, views: Views = "single") -> NDArray[np.float32]:
        """Embeddings of faces: unit vectors of shape (n, d).

        Raises
        ------
        DataError
            If an image has another shape, type or range, or a file cannot be decoded.
        ValueError
            If there are no such ``views``.
        """
        return _encode(self.encoder, images, views)

    def predict_proba(self, images: Faces, views: Views = "single") -> NDArray[np.float64]:
        """Calibrated probability of each class by the vote; shape (n, c), rows sum to 1."""
        embeddings = self.encode(images, views)
        if not len(embeddings):
            return np.empty((0, len(self.classes_)))
        return np.asarray(self.voters[VOTE].predict_proba(embeddings))

    def predict(self, images: Faces, views: Views = "single") -> NDArray[np.str_]:
        """The most probable class name of each image by the vote; shape (n,)."""
        names: NDArray[np.str_] = self.classes_[self.predict_proba(images, views).argmax(axis=1)]
        return names

    def neighbors(self, images: Faces, k: int = 5, views: Views = "single") -> Neighbors:
        """The ``k`` gallery faces nearest to each image."""
        embeddings = self.encode(images, views)
        if len(embeddings):
            distances, rows = self.voters["knn"].estimator_.kneighbors(embeddings, n_neighbors=k)
        else:
            distances, rows = np.empty((0, k)), np.empty((0, k), np.int64)
        labels = self.classes_[self._gallery["labels"][rows]]
        return Neighbors((1 - distances).astype(np.float32), labels, self.gallery_ids[rows])

    def copies_in_gallery(self, faces: FaceDataset) -> NDArray[np.bool_]:
        """Whether each face is pixel for pixel in the gallery; shape (n,). Re-crops of one photo are not found."""
        known = {bytes(row) for row in self._gallery["hashes"]}
        return np.array([bytes(row) in known for row in _hash_bytes(faces)], dtype=bool)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the recogniser to a folder, whole or not at all."""
        with atomic_folder(path) as folder:
            save_file({k: v.contiguous() for k, v in self.encoder.state_dict().items()}, folder / "encoder.safetensors")
            save_arrays({k: np.ascontiguousarray(v) for k, v in self._gallery.items()}, folder / "gallery.safetensors")
            for name, voter in self.voters.items():
                voter.save(folder / "voters" / name)
                if name != VOTE:
                    voter.estimator_.save(folder / "voters" / name / "classifier")
            config = {
                "format": FORMAT,
                "classes": self.classes_.tolist(),
                "encoder": self.encoder.config,
                "info": self.info,
            }
            write_json(folder / "config.json", config)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Recognizer:
        """Read a recogniser from its folder, or from the folder of the run that made it.

        Raises
        ------
        StorageError
            If the folder holds none, or a file is missing, truncated or altered.
        """
        folder = Path(path)
        inner = folder / "recognizer"
        folder = verify_folder(inner if inner.exists() or inner.with_name(".recognizer.old").exists() else folder)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if config.get("format") != FORMAT:
            raise StorageError(f"{folder} has format {config.get('format')}; this version of ferembed reads {FORMAT}.")
        encoder = Encoder(**config["encoder"])
        encoder.load_state_dict(load_file(folder / "encoder.safetensors"))
        members = {name: _load_member(folder / "voters" / name, kind) for name, kind in MEMBERS.items()}
        vote = VotingEnsemble.load(folder / "voters" / VOTE, members)
        gallery = load_arrays(folder / "gallery.safetensors")
        return cls(encoder, config["classes"], members, vote, gallery, config["info"])


@torch.inference_mode()
def _encode(encoder: Encoder, images: Faces, views: Views = "single", batch_size: int = 256) -> NDArray[np.float32]:
    pixels = torch.from_numpy(prepare_images(images, size=encoder.image_size, channels=encoder.channels))
    device = next(encoder.parameters()).device
    parts = [_embed(encoder, batch.to(device), views).cpu().numpy() for batch in torch.split(pixels, batch_size)]
    return np.concatenate(parts) if len(pixels) else np.empty((0, encoder.embedding_dim), np.float32)


def _embed(encoder: Encoder, pixels: torch.Tensor, views: Views) -> torch.Tensor:
    if views == "single":
        embeddings: torch.Tensor = encoder(pixels)
        return embeddings
    looks = test_views((255 * pixels).round().to(torch.uint8), views)
    each = encoder(looks.flatten(0, 1)).unflatten(0, looks.shape[:2])
    return torch.nn.functional.normalize(each.mean(dim=1), dim=-1)


def _softmax_head(network: Network, embeddings: NDArray[np.float32], labels: NDArray[np.int64]) -> SoftmaxHead:
    if network.softmax is None:
        return SoftmaxHead().fit(embeddings, labels)
    coef = network.softmax.coef.detach().cpu().numpy()
    return SoftmaxHead.from_weights(coef, np.zeros(len(coef), coef.dtype), np.arange(len(coef)))


def _best_knn(
    gallery: NDArray[np.float32], labels: NDArray[np.int64], queries: NDArray[np.float32], truth: NDArray[np.int64]
) -> KNNClassifier:
    """The k and temperature that, once calibrated, make the validation labels likeliest.

    The gallery's own labels cannot choose: the encoder was trained on them, so its neighbours look surer than they are.
    """
    tried = [
        KNNClassifier(k, temperature=temperature).fit(gallery, labels)
        for k in NEIGHBOURS
        if k <= len(gallery)
        for temperature in TEMPERATURES
    ]
    losses = [
        log_loss(truth, _calibrated(knn, queries, truth).predict_proba(queries), labels=knn.classes_) for knn in tried
    ]
    return tried[int(np.argmin(losses))]


def _calibrated(classifier: Any, queries: NDArray[np.float32], truth: NDArray[np.int64]) -> CalibratedClassifier:
    return CalibratedClassifier(FrozenEstimator(classifier)).fit(queries, truth)


def _load_member(folder: Path, kind: type[Any]) -> CalibratedClassifier:
    return CalibratedClassifier.load(folder, kind.load(folder / "classifier"))


def _hash_bytes(faces: FaceDataset) -> NDArray[np.uint8]:
    return np.array([list(bytes.fromhex(value)) for value in faces.pixel_hashes], np.uint8).reshape(-1, 20)
