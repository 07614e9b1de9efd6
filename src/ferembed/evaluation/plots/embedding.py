"""A map of the embedding, with the faces that are named wrongly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferembed.evaluation.plots.canvas import axes_or_new, class_colours, class_markers, ink, plain
from ferembed.probability import class_codes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


STEPS = 500
"""Of t-SNE. On 1,500 faces of FER2013 twice as many keep neighbours no better (trustworthiness 0.992 either way)."""
TOLD_APART = 12
"""Classes that colours and markers tell apart."""
DIGITS = 5
"""Decimals that tell two embeddings apart; t-SNE asked about copies of one crashes the process."""

A_SIDE = 6
"""Faces at most on the left, and on the right."""

BAND = 0.3
"""Room for them on either side, in widths of the map."""

_TALL, _WIDE = 86, 72
"""Points of 1/72 inch that a face with its caption needs down, and a band across."""


def project_embedding(
    embeddings: ArrayLike, *, method: Literal["tsne", "umap"] = "tsne", seed: int = 0
) -> NDArray[np.float32]:
    """Embeddings on a plane, neighbours kept near each other: t-SNE (van der Maaten and Hinton 2008) or UMAP.

    Distances between far groups, and the sizes of groups, mean nothing on such a map. Where fewer than four embeddings
    differ, as those of a collapsed encoder do not, it shows their two principal components.

    Parameters
    ----------
    embeddings : array-like of float, shape (n, d)
        Unit vectors, four or more.
    method : {"tsne", "umap"}
        t-SNE is scikit-learn's; UMAP needs the package umap-learn.
    seed : int

    Returns
    -------
    ndarray of float32, shape (n, 2)

    Raises
    ------
    ImportError
        If umap-learn is asked for and missing.
    ValueError
        If there are fewer than four embeddings, or the method is neither.
    """
    vectors = np.asarray(embeddings, dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) < 4:
        raise ValueError(f"a map needs four embeddings or more, as rows; got shape {vectors.shape}.")
    if method not in ("tsne", "umap"):
        raise ValueError(f"method must be 'tsne' or 'umap', not {method!r}.")
    if not np.isfinite(vectors).all():
        raise ValueError("a map needs finite embeddings, and some hold NaN or infinity.")
    if len(np.unique(np.round(vectors, DIGITS), axis=0)) < 4:
        return _principal_plane(vectors)
    if method == "tsne":
        from sklearn.manifold import TSNE

        perplexity = min(30.0, (len(vectors) - 1) / 3)
        tsne = TSNE(2, perplexity=perplexity, init="pca", max_iter=STEPS, random_state=seed)
        points = tsne.fit_transform(vectors)
    else:
        try:
            from umap import UMAP
        except ImportError as error:
            raise ImportError("method='umap' needs umap-learn: pip install umap-learn, or method='tsne'.") from error
        points = UMAP(metric="cosine", n_jobs=1, random_state=seed).fit_transform(vectors)
    return np.asarray(points, dtype=np.float32)


def _principal_plane(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The two directions in which the vectors differ most; zeros where they do not."""
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    places = np.zeros((len(vectors), 2), np.float32)
    directions = np.linalg.svd(centred, full_matrices=False)[2][:2]
    places[:, : len(directions)] = centred @ directions.T
    return places


def plot_embedding(
    embeddings: ArrayLike,
    labels: ArrayLike,
    classes: Sequence[Any],
    predicted: ArrayLike | None = None,
    images: NDArray[np.uint8] | None = None,
    ax: Axes | None = None,
    *,
    method: Literal["tsne", "umap"] = "tsne",
    seed: int = 0,
) -> Axes:
    """A map of faces in the colour and marker of their class; faces named wrongly are ringed, and some are shown.

    Where there are more than :data:`TOLD_APART` classes, the number of each stands amid its faces.

    Parameters
    ----------
    embeddings : array-like of float, shape (n, d) or (n, 2)
        Unit vectors, or points that :func:`project_embedding` has made of them, which are drawn as they are.
    labels : array-like of shape (n,)
        True classes, as they are named in ``classes``.
    classes : sequence
    predicted : array-like of shape (n,), optional
        Classes named by a recogniser.
    images : ndarray of uint8, shape (n, h, w) or (n, h, w, 3), optional
        Up to 12 misclassified faces, from all over the map, stand beside it, joined to their points by a line: "true >
        predicted" beneath each. Axes that are too small for that show fewer, or none.
    ax : matplotlib Axes, optional
    method, seed
        As for :func:`project_embedding`.
    """
    vectors = np.asarray(embeddings, dtype=np.float32)
    points = vectors if vectors.shape[1:] == (2,) else project_embedding(vectors, method=method, seed=seed)
    codes = class_codes(labels, classes)
    ax = axes_or_new(ax, (10.0, 8.0 + 0.2 * -(-(len(classes) + 1) // 4)))
    many = len(classes) > TOLD_APART
    for code, (colour, marker) in enumerate(zip(class_colours(classes), class_markers(classes), strict=True)):
        x, y = points[codes == code].T
        label = plain(f"{code} {classes[code]}" if many else classes[code], 28)
        ax.scatter(x, y, s=14, c=colour, marker=marker, linewidths=0, alpha=0.8, label=label)
        if many and len(x):
            _number(ax, code, float(np.median(x)), float(np.median(y)))
    ax.set(xticks=[], yticks=[])
    ax.margins(0.05)
    if predicted is not None:
        answers = class_codes(predicted, classes)
        wrong = np.flatnonzero(codes != answers)
        x, y = points[wrong].T
        ax.scatter(x, y, s=42, facecolors="none", edgecolors=ink(), linewidths=0.35, label="named wrongly")
        if images is not None:
            low, span = points.min(axis=0), np.maximum(np.ptp(points, axis=0), 1e-9)
            shown = wrong[spread_out((points[wrong] - low) / span, room_for_insets(ax))]
            captions = [plain(f"{classes[codes[row]]} >\n{classes[answers[row]]}", 16) for row in shown]
            colours = class_colours(classes)
            set_in(ax, points[shown], images[shown], captions, [colours[codes[row]] for row in shown])
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=4, frameon=False, fontsize=8, markerscale=1.6)
    return ax


def _number(ax: Axes, code: int, x: float, y: float) -> None:
    """The number of a class in the middle of its faces, legible on any ground."""
    from matplotlib import rcParams
    from matplotlib.patheffects import withStroke

    halo = withStroke(linewidth=2.5, foreground=rcParams["axes.facecolor"])
    ax.text(x, y, str(code), ha="center", va="center", fontsize=9, fontweight="bold", path_effects=[halo], zorder=4)


def room_for_insets(ax: Axes) -> int:
    """How many faces have room beside the map on these axes: on both sides together, an even number."""
    figure = ax.get_figure()
    if figure is None:
        return 0
    box, inch = ax.get_window_extent(), figure.dpi / 72
    if box.width / inch * BAND / (1 + 2 * BAND) < _WIDE:
        return 0
    return 2 * min(A_SIDE, int(box.height / inch / _TALL))


def set_in(
    ax: Axes, points: NDArray[np.float32], images: NDArray[np.uint8], captions: Sequence[str], colours: Sequence[str]
) -> None:
    """Set faces into bands on the left and on the right of a map.

    Parameters
    ----------
    ax : matplotlib Axes
        Whose limits are those of the map; they are widened.
    points : ndarray of float32, shape (m, 2)
        Where the faces lie on the map; no more than :func:`room_for_insets`.
    images : ndarray of uint8, shape (m, h, w) or (m, h, w, 3)
    captions, colours : sequence of m str
        What stands beneath each, and the colour of its frame.
    """
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage, TextArea, VPacker

    low, high = ax.get_xlim()
    ax.set_xlim(low - BAND * (high - low), high + BAND * (high - low))
    middle = BAND / (1 + 2 * BAND) / 2
    across = np.argsort(points[:, 0], kind="stable")
    for place, side in ((middle, across[: len(across) // 2]), (1 - middle, across[len(across) // 2 :])):
        down = side[np.argsort(-points[side, 1], kind="stable")]
        for slot, face in enumerate(down):
            image = OffsetImage(images[face], zoom=36 / images.shape[1], cmap="gray", norm=None)
            image.image.set_clim(0, 255)
            text = TextArea(captions[face], textprops={"fontsize": 6, "ha": "center", "multialignment": "center"})
            box = AnnotationBbox(
                VPacker(children=[image, text], align="center", pad=0, sep=2),
                (float(points[face, 0]), float(points[face, 1])),
                (place, 1 - (slot + 0.5) / len(down)),
                boxcoords="axes fraction",
                pad=0.15,
                bboxprops={"edgecolor": colours[face], "linewidth": 1.5, "facecolor": "none"},
                arrowprops={"arrowstyle": "-", "color": ink(), "linewidth": 0.5},
            )
            ax.add_artist(box)


def spread_out(places: NDArray[np.float32], count: int) -> list[int]:
    """Up to ``count`` different places of the unit square, each as far as can be from those before."""
    chosen: list[int] = []
    distance = np.full(len(places), np.inf)
    candidate = int(np.abs(places - 0.5).sum(axis=1).argmin()) if len(places) else 0
    while len(chosen) < min(count, len(places)) and distance[candidate] > 0:
        chosen.append(candidate)
        distance = np.minimum(distance, np.abs(places - places[candidate]).max(axis=1))
        candidate = int(distance.argmax())
    return chosen
