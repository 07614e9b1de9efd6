"""Saliency of a class probability and of the similarity of two faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ferembed.explain._voting import vote
from ferembed.explain.methods import Answer, Question, embed, find_method
from ferembed.labels import place_of
from ferembed.probability import most_probable
from ferembed.progress import progress
from ferembed.recognizer.inputs import prepare_images

if TYPE_CHECKING:
    from ferembed.recognizer import Recognizer
    from ferembed.recognizer.inputs import Faces

_FACES_AT_ONCE = 8

Explained = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Saliency:
    """Which pixels speak for a class, of ``n`` faces."""

    method: str
    voter: str
    images: NDArray[np.float32]
    """The faces as the encoder saw them, in [0, 1]; shape (n, h, w), or (n, h, w, 3) for one that sees colour."""
    maps: NDArray[np.float32]
    """Shape (n, h, w), each from 0 to 1. Occlusion: the loss from its least to its largest, which is the mean of 1 - p
    over the patches that cover a pixel, stretched to [0, 1]. Gradients: the size of ``raw`` over its largest.
    Grad-CAM: what is positive in ``raw`` over its largest. A map without contrast is 0."""
    raw: NDArray[np.float32]
    """Shape (n, h, w), signed. Occlusion: the probability lost, positive where the pixel speaks for the class;
    ``raw + 1 - probability`` is the mean of 1 - p. Gradients: change of probability for a change of the pixel by 1.
    Integrated gradients: the pixel's part of the probability. Gradients are of the probability before an isotonic
    calibration, where the voter has one."""
    target: NDArray[np.str_]
    """The class that is explained, of each face; shape (n,)."""
    probability: NDArray[np.float64]
    """The voter's probability of the target; shape (n,)."""
    predicted: NDArray[np.str_]
    """The voter's most probable class; shape (n,)."""

    def __len__(self) -> int:
        return len(self.maps)


@dataclass(frozen=True, eq=False)
class SimilaritySaliency:
    """Which pixels make two faces similar, of ``n`` pairs; arrays of either side as in :class:`Saliency`."""

    method: str
    images_a: NDArray[np.float32]
    images_b: NDArray[np.float32]
    maps_a: NDArray[np.float32]
    maps_b: NDArray[np.float32]
    raw_a: NDArray[np.float32]
    raw_b: NDArray[np.float32]
    similarity: NDArray[np.float64]
    """Cosine of the two embeddings, -1 to 1; shape (n,)."""

    def __len__(self) -> int:
        return len(self.similarity)


def explain_class(
    recognizer: Recognizer,
    images: Faces,
    method: str = "occlusion",
    *,
    target: str | Sequence[str] | None = None,
    voter: str = "vote",
    **parameters: Any,
) -> Saliency:
    """Which pixels of each face speak for a class.

    Parameters
    ----------
    recognizer : Recognizer
    images : array, PIL image, path, or a sequence of these
        Whatever :meth:`ferembed.Recognizer.predict` takes.
    method : {"occlusion", "gradient", "smoothgrad", "integrated_gradients", "gradcam"}
    target : str or sequence of str, optional
        The class to explain: one for all faces, or one a face; by default what the voter predicts.
    voter : {"vote", "softmax", "knn"}
        Whose probability: the recogniser's, or one member's.
    **parameters
        Of the method: ``patch``, ``stride`` and ``fill`` of occlusion; ``samples``, ``noise`` and ``seed`` of
        SmoothGrad; ``steps`` and ``fill`` of integrated gradients; ``layer`` of Grad-CAM. See
        :mod:`ferembed.explain.methods`.

    Returns
    -------
    Saliency

    Raises
    ------
    ValueError
        If the method, the target or the voter is unknown (their names are listed), a parameter is out of range, or a
        gradient is asked of a voter that has none: a k-NN vote with ``weights="uniform"``.
    TypeError
        If the method has no such parameter.
    DataError
        If an image cannot be read.

    See Also
    --------
    explain_similarity : The same for the similarity of two faces.
    ferembed.explain.deletion_curve : Whether a map is right.

    Notes
    -----
    All methods but occlusion follow gradients. Isotonic calibration, whose steps have none, is left out of these: they
    are of the voter's probability before it. A k-NN vote is flat where all neighbours are of one class, and its map 0.

    Maps show what this network used, not what an expression is, and different methods may disagree;
    :func:`ferembed.explain.randomisation_test` shows how much a method depends on what the network learnt.

    Examples
    --------
    >>> import ferembed as fe
    >>> from ferembed.models import Network
    >>> faces = fe.drawn_faces(70)
    >>> network = Network(fe.Encoder("resnet18", embedding_dim=8, backbone_args={"channels": (8, 8, 8, 8)}))
    >>> recognizer = fe.Recognizer.build(network, faces.split("train"), faces.split("validation"))
    >>> saliency = explain_class(recognizer, faces.images[:2], "gradient", target="happy", voter="knn")
    >>> saliency.maps.shape, saliency.maps.max(), saliency.target.tolist()
    ((2, 48, 48), np.float32(1.0), ['happy', 'happy'])
    """
    find_method(method).check(method, parameters)
    voters = recognizer.voters
    if voter not in voters:
        raise ValueError(f"there is no voter {voter!r}: choose from {', '.join(voters)}.")
    pixels = _pixels(recognizer, images)
    classes, embeddings = recognizer.classes_, _embeddings(recognizer, pixels)
    proba = voters[voter].predict_proba(embeddings) if len(pixels) else np.empty((0, len(classes)))
    best = most_probable(proba)
    codes = best if target is None else _codes(classes, target, len(pixels))

    def answer(embedded: Tensor, wanted: Tensor) -> Tensor:
        answers = vote(voters[voter], embedded).gather(1, wanted[:, None])[:, 0]
        if embedded.requires_grad and not answers.requires_grad:
            raise ValueError(
                f"the voter {voter!r} has no gradient, since all its neighbours count equally (weights='uniform'): "
                f"take method='occlusion', or another voter."
            )
        return answers

    raw, maps = _explain(recognizer, method, answer, pixels, torch.from_numpy(codes), parameters)
    probability = proba[np.arange(len(proba)), codes]
    return Saliency(method, voter, _pictures(pixels), maps, raw, classes[codes], probability, classes[best])


def explain_similarity(
    recognizer: Recognizer, a: Faces, b: Faces, method: str = "occlusion", **parameters: Any
) -> SimilaritySaliency:
    """Which pixels of each of two faces make them similar: saliency of the cosine of their embeddings.

    Each face is explained beside the other as it is.

    Parameters
    ----------
    recognizer : Recognizer
    a, b : array, PIL image, path, or a sequence of these
        As many faces on either side, or one on a side, which is then paired with each of the other.
    method, **parameters
        As for :func:`explain_class`.

    Returns
    -------
    SimilaritySaliency

    Raises
    ------
    ValueError, TypeError, DataError
        As for :func:`explain_class`, and if the two sides differ in number.

    References
    ----------
    Stylianou, Souvenir and Pless (2019), Visualizing deep similarity networks, WACV.

    Examples
    --------
    >>> import ferembed as fe
    >>> from ferembed.models import Network
    >>> faces = fe.drawn_faces(70)
    >>> network = Network(fe.Encoder("resnet18", embedding_dim=8, backbone_args={"channels": (8, 8, 8, 8)}))
    >>> recognizer = fe.Recognizer.build(network, faces.split("train"), faces.split("validation"))
    >>> pairs = explain_similarity(recognizer, faces.images[0], faces.images[1:4], "gradcam")
    >>> pairs.similarity.shape, pairs.maps_a.shape, pairs.maps_b.shape
    ((3,), (3, 48, 48), (3, 48, 48))
    """
    find_method(method).check(method, parameters)
    left, right = _pixels(recognizer, a), _pixels(recognizer, b)
    if len(left) != len(right) and 1 not in (len(left), len(right)):
        raise ValueError(f"a has {len(left)} faces and b {len(right)}: give as many of each, or one of either.")
    count = len(left) * len(right) and max(len(left), len(right))
    left, right = (side.expand(count, -1, -1, -1).contiguous() for side in (left, right))
    embedded_left, embedded_right = (torch.from_numpy(_embeddings(recognizer, side)) for side in (left, right))

    def answer(embedded: Tensor, other: Tensor) -> Tensor:
        return (embedded.double() * other.double()).sum(dim=1)

    (raw_a, maps_a), (raw_b, maps_b) = (
        _explain(recognizer, method, answer, side, other, parameters)
        for side, other in ((left, embedded_right), (right, embedded_left))
    )
    similarity = (embedded_left.double() * embedded_right.double()).sum(dim=1).numpy()
    images_a, images_b = _pictures(left), _pictures(right)
    return SimilaritySaliency(method, images_a, images_b, maps_a, maps_b, raw_a, raw_b, similarity)


def _explain(
    recognizer: Recognizer, name: str, answer: Answer, pixels: Tensor, reference: Tensor, parameters: dict[str, Any]
) -> Explained:
    """Raw values and maps, (n, h, w) each."""
    method, device, parts = find_method(name), _device(recognizer), []
    with progress("Explaining faces", len(pixels)) as report:
        for start in range(0, len(pixels), _FACES_AT_ONCE):
            faces = slice(start, start + _FACES_AT_ONCE)
            question = Question(recognizer.engine.encoder, answer, pixels[faces].to(device), reference[faces])
            parts.append(method.attribute(question, **parameters).detach().cpu().float().numpy())
            report(faces.stop)
    if not parts:
        return (nothing := np.empty((0, *pixels.shape[2:]), np.float32)), nothing
    raw = np.concatenate(parts)
    return raw, method.normalise(raw)


@torch.no_grad()
def _embeddings(recognizer: Recognizer, pixels: Tensor) -> NDArray[np.float32]:
    if not len(pixels):
        return np.empty((0, recognizer.engine.encoder.embedding_dim), np.float32)
    embeddings: NDArray[np.float32] = embed(recognizer.engine.encoder, pixels.to(_device(recognizer))).numpy()
    return embeddings


def _device(recognizer: Recognizer) -> torch.device:
    return next(recognizer.engine.encoder.parameters()).device


def _pixels(recognizer: Recognizer, images: Faces) -> Tensor:
    encoder = recognizer.engine.encoder
    return torch.from_numpy(prepare_images(images, size=encoder.image_size, channels=encoder.channels))


def _pictures(pixels: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(pixels[:, 0] if pixels.shape[1] == 1 else pixels.permute(0, 2, 3, 1))


def _codes(classes: NDArray[np.str_], target: str | Sequence[str], count: int) -> NDArray[np.int64]:
    names = np.broadcast_to(target, count) if isinstance(target, str) else np.asarray(target, dtype=str)
    if names.shape != (count,):
        raise ValueError(f"target must be one class or one for each of the {count} faces, not {names.shape}.")
    known = classes.tolist()
    places = {name: place_of(name, known) for name in names.tolist()}
    unknown = [name for name, place in places.items() if place is None]
    if unknown:
        raise ValueError(f"the recogniser knows no class {unknown[0]!r}: choose from {', '.join(known)}.")
    return np.array([places[name] for name in names.tolist()], np.int64)
