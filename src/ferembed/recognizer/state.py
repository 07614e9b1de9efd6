"""What enrolling and forgetting change: the classes, the gallery and the voters, as one value."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ferembed.data.dataset import DataError, FaceDataset
from ferembed.estimators import CalibratedClassifier, KNNClassifier, SoftmaxHead, VotingEnsemble
from ferembed.estimators.rejection.reject_option import conformal_threshold
from ferembed.labels import canonical, place_of
from ferembed.probability import most_probable
from ferembed.recognizer.memory import VOTE, GalleryFaces, HeldOutFaces, Neighbors, among
from ferembed.recognizer.voters import Voters, best_knn, calibrated_voters
from ferembed.storage import StorageError

if TYPE_CHECKING:
    from ferembed.models import Network

MEMBERS: dict[str, type[Any]] = {"softmax": SoftmaxHead, "knn": KNNClassifier}


@dataclass(frozen=True)
class State:
    """A recogniser without its encoder. Nothing of it is changed in place, so that it can be read beside a change."""

    classes: tuple[str, ...]
    """Trained expressions, then enrolled ones; labels are numbers into it."""
    trained: int
    """How many were trained."""
    voters: Voters
    gallery: GalleryFaces
    held_out: HeldOutFaces | None
    """None where it was saved in format 1, which did not keep them."""

    @classmethod
    def of(
        cls,
        network: Network,
        train: FaceDataset,
        embeddings: NDArray[np.float32],
        held_out: HeldOutFaces,
        votes: NDArray[np.float32] | None = None,
    ) -> State:
        """The gallery and voters of a trained network; gallery faces vote for ``votes`` or else for their labels."""
        knn = best_knn(embeddings, train.labels, held_out.held_out, votes)
        voters = calibrated_voters(_softmax_head(network, embeddings, train.labels), knn, held_out.held_out)
        return cls(train.classes, len(train.classes), voters, GalleryFaces.of(train), held_out)

    @property
    def knn(self) -> KNNClassifier:
        """The classifier that holds the gallery's vectors."""
        knn: KNNClassifier = self.voters.knn.estimator_
        return knn

    @property
    def head(self) -> SoftmaxHead:
        """The softmax classifier as it was trained, without the columns of enrolled classes."""
        head = self.voters.softmax.estimator_
        return SoftmaxHead.from_weights(
            head.coef_[: self.trained], head.intercept_[: self.trained], np.arange(self.trained)
        )

    def nearest(self, embeddings: NDArray[np.float32], k: int) -> Neighbors:
        """The ``k`` gallery faces nearest to each of n embeddings."""
        if len(embeddings) and k:
            distances, rows = self.knn.kneighbors(embeddings, n_neighbors=k)
        else:
            distances, rows = np.empty((len(embeddings), k)), np.empty((len(embeddings), k), np.int64)
        labels = np.array(self.classes)[self.gallery.labels[rows]]
        return Neighbors((1 - distances).astype(np.float32), labels, self.gallery.ids[rows])

    def threshold(self, max_error: float) -> float:
        """The confidence above which at most ``max_error`` of the held-out faces get a wrong name."""
        return conformal_threshold(*self._confidence, max_error)

    @cached_property
    def _confidence(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """How sure the vote is of each held-out face, and whether it is wrong."""
        held_out = self._held_out()
        proba = np.asarray(self.voters.vote.predict_proba(held_out.embeddings))
        return proba.max(axis=1), most_probable(proba) != held_out.labels

    def with_enrolled(self, label: str, faces: FaceDataset, embeddings: NDArray[np.float32]) -> State:
        """With more faces of an expression, which may be new."""
        self._held_out()
        place = place_of(label, self.classes)
        classes = self.classes if place is not None else (*self.classes, canonical(label))
        code = len(self.classes) if place is None else place
        fresh = ~among(faces.hashes, self.gallery.hashes[self.gallery.labels == code])
        faces, embeddings = faces.subset(fresh), embeddings[fresh]
        needed = 2 if place is None else 1
        if len(faces) < needed:
            raise DataError(f"{len(faces)} new images cannot enrol {label}: give {needed} or more, each another.")
        knn = copy.deepcopy(self.knn)
        knn.partial_fit(embeddings, np.full(len(faces), code), classes=np.arange(len(classes)))
        changed = replace(self, classes=classes, gallery=self.gallery.with_enrolled(faces, code))
        return changed._calibrated(self.head, knn)

    def without(self, label: str) -> State:
        """With nothing left of an expression."""
        if (code := place_of(label, self.classes)) is None:
            known = ", ".join(self.classes)
            raise DataError(f"there is no expression {label!r} to forget; the recogniser knows {known}.")
        head = self.head
        was_trained = code < self.trained
        if was_trained and self.trained == 2:
            raise DataError(f"without {label} one trained expression would be left: a recogniser needs two.")
        classes = tuple(name for place, name in enumerate(self.classes) if place != code)
        knn = copy.deepcopy(self.knn).forget(code)
        knn.classes_ = np.arange(len(classes))
        if was_trained:
            coef, intercept = np.delete(head.coef_, code, axis=0), np.delete(head.intercept_, code)
            head = SoftmaxHead.from_weights(coef, intercept, np.arange(len(coef)))
        changed = replace(
            self,
            classes=classes,
            trained=self.trained - was_trained,
            gallery=self.gallery.without(code),
            held_out=self._held_out().without(code),
        )
        return changed._calibrated(head, knn)

    def calibrated_by(self, held_out: HeldOutFaces) -> State:
        """Calibrated on other faces than before."""
        return replace(self, held_out=held_out)._calibrated(self.head, self.knn)

    def save(self, folder: Path) -> None:
        """Write gallery, held-out faces and voters; the classes belong into the configuration."""
        self.gallery.save(folder / "gallery.safetensors")
        if self.held_out is not None:
            self.held_out.save(folder / "held_out.safetensors")
        for name, voter in self.voters._asdict().items():
            voter.save(folder / "voters" / name)
            if name in MEMBERS:
                voter.estimator_.save(folder / "voters" / name / "classifier")

    @classmethod
    def load(cls, folder: Path, config: dict[str, Any]) -> State:
        """Read what :meth:`save` wrote."""
        members = {name: _load_member(folder / "voters" / name, kind) for name, kind in MEMBERS.items()}
        vote = VotingEnsemble.load(folder / "voters" / VOTE, members)
        kept = folder / "held_out.safetensors"
        return cls(
            tuple(config["classes"]),
            config.get("trained", len(config["classes"])),
            Voters(**members, vote=vote),
            GalleryFaces.load(folder / "gallery.safetensors"),
            HeldOutFaces.load(kept) if kept.is_file() else None,
        )

    def _held_out(self) -> HeldOutFaces:
        if self.held_out is None:
            raise StorageError(
                "this recogniser was saved without the held-out faces that calibrate it again: "
                "give it some by calibrate(validation)."
            )
        return self.held_out

    def _calibrated(self, head: SoftmaxHead, knn: KNNClassifier) -> State:
        held_out = self._held_out().held_out
        return replace(self, voters=calibrated_voters(head, knn, held_out, self.gallery.enrolled_rows))


def _load_member(folder: Path, kind: type[Any]) -> CalibratedClassifier:
    return CalibratedClassifier.load(folder, kind.load(folder / "classifier"))


def _softmax_head(network: Network, embeddings: NDArray[np.float32], labels: NDArray[np.int64]) -> SoftmaxHead:
    if network.softmax is None:
        return SoftmaxHead().fit(embeddings, labels)
    coef = network.softmax.coef.detach().cpu().numpy()
    return SoftmaxHead.from_weights(coef, np.zeros(len(coef), coef.dtype), np.arange(len(coef)))
