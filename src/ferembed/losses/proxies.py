"""Losses that keep learned points for each class, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from ferembed.losses.base import LossSpec, Sizes

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ferembed.losses.outputs import Outputs

__all__ = ["ArcFace", "Center", "CosFace", "ProxyAnchor", "ProxyNCA", "SubCenterArcFace"]


class ProxySpec(LossSpec):
    """A loss of pytorch-metric-learning against proxies, points of the classes that are learned."""

    def value(self, outputs: Outputs, loss: nn.Module) -> Tensor:
        value: Tensor = loss(outputs.embeddings, outputs.labels)
        return value


class ProxyAnchor(ProxySpec):
    """One proxy a class, which pulls and pushes the images of the batch by their hardness.

    A proxy costs ``log(1 + sum over its images of exp(-alpha (s - margin)))``, averaged over the classes present, plus
    ``log(1 + sum over the others of exp(alpha (s + margin)))``, averaged over all classes.

    Notes
    -----
    - Batch: any.
    - Sampler: natural or class-balanced.
    - Related: unlike ``proxy_nca`` it weighs the images of a batch against each other.

    Examples
    --------
    >>> loss = ProxyAnchor().build(num_classes=7, embedding_dim=128)
    >>> [tuple(p.shape) for p in loss.parameters()]
    [(7, 128)]

    References
    ----------
    Kim, Kim, Cho and Kwak (2020), Proxy Anchor Loss for Deep Metric Learning.
    """

    name: Literal["proxy_anchor"] = "proxy_anchor"
    margin: float = Field(default=0.1, ge=0, lt=1)
    """Cosine similarity to be exceeded by positives, and kept below its negative by negatives."""
    alpha: float = Field(default=32.0, gt=0)
    """Steepness."""

    def parts(self, sizes: Sizes) -> dict[str, Any]:
        from pytorch_metric_learning.losses import ProxyAnchorLoss

        return {"loss": ProxyAnchorLoss(sizes.num_classes, sizes.embedding_dim, margin=self.margin, alpha=self.alpha)}


class ProxyNCA(ProxySpec):
    """A softmax over the squared distances to one proxy a class, in the sharpened form of ProxyNCA++.

    Notes
    -----
    - Batch: any.
    - Sampler: natural or class-balanced.
    - Related: a cross-entropy without bias on the unit sphere; ``arcface`` and ``cosface`` add a margin.

    Examples
    --------
    >>> ProxyNCA().scale
    9.0

    References
    ----------
    Movshovitz-Attias et al. (2017), No Fuss Distance Metric Learning using Proxies.
    Teh, DeVries and Taylor (2020), ProxyNCA++: Revisiting and Revitalizing Proxy Neighborhood Component Analysis.
    """

    name: Literal["proxy_nca"] = "proxy_nca"
    # Squared distances reach 4; exp(-4 * 20) is still a normal float32, which the logarithm after the softmax needs.
    scale: float = Field(default=9.0, gt=0, le=20)
    """Inverse temperature; ProxyNCA++ uses 9."""

    def parts(self, sizes: Sizes) -> dict[str, Any]:
        from pytorch_metric_learning.losses import ProxyNCALoss

        return {"loss": ProxyNCALoss(sizes.num_classes, sizes.embedding_dim, softmax_scale=self.scale)}


class ArcFace(ProxySpec):
    """A softmax over cosines in which the angle to the own class is widened by a margin.

    Notes
    -----
    - Batch: any.
    - Sampler: natural or class-balanced.
    - Related: ``cosface`` takes the margin from the cosine instead of adding it to the angle; ``subcenter_arcface``
      grants a class several directions. The class weights belong to the loss, not to the network's softmax head.

    Examples
    --------
    >>> ArcFace(margin=15).scale
    16.0

    References
    ----------
    Deng, Guo, Xue and Zafeiriou (2019), ArcFace: Additive Angular Margin Loss for Deep Face Recognition.
    """

    name: Literal["arcface"] = "arcface"
    margin: float = Field(default=28.6, ge=0, lt=90)
    """Margin in degrees; the paper uses half a radian."""
    scale: float = Field(default=16.0, gt=0)
    """Factor of the cosines; the paper uses 64 for tens of thousands of identities, a few classes need less."""

    def parts(self, sizes: Sizes) -> dict[str, Any]:
        from pytorch_metric_learning.losses import ArcFaceLoss

        loss = ArcFaceLoss(sizes.num_classes, sizes.embedding_dim, margin=self.margin, scale=self.scale)
        loss.get_angles = finite_angles
        return {"loss": loss}


class CosFace(ProxySpec):
    """A softmax over cosines from which the own class's is lowered by a margin.

    Notes
    -----
    - Batch: any.
    - Sampler: natural or class-balanced.
    - Related: see ``arcface``.

    Examples
    --------
    >>> CosFace().margin
    0.35

    References
    ----------
    Wang et al. (2018), CosFace: Large Margin Cosine Loss for Deep Face Recognition.
    """

    name: Literal["cosface"] = "cosface"
    margin: float = Field(default=0.35, ge=0, lt=2)
    """Margin in cosine similarity."""
    scale: float = Field(default=16.0, gt=0)
    """Factor of the cosines; the paper uses 64 for tens of thousands of identities, a few classes need less."""

    def parts(self, sizes: Sizes) -> dict[str, Any]:
        from pytorch_metric_learning.losses import CosFaceLoss

        return {"loss": CosFaceLoss(sizes.num_classes, sizes.embedding_dim, margin=self.margin, scale=self.scale)}


class SubCenterArcFace(ProxySpec):
    """ArcFace with several directions a class, of which the nearest counts.

    Notes
    -----
    - Batch: any.
    - Sampler: natural or class-balanced.
    - Related: ``arcface`` is the case of one direction; more of them let wrong labels gather at one of their own.

    Examples
    --------
    >>> loss = SubCenterArcFace(centers=2).build(num_classes=7, embedding_dim=128)
    >>> [tuple(p.shape) for p in loss.parameters()]
    [(128, 14)]

    References
    ----------
    Deng, Guo, Liu, Gong and Zafeiriou (2020), Sub-center ArcFace: Boosting Face Recognition by Large-Scale Noisy Web
    Faces.
    """

    name: Literal["subcenter_arcface"] = "subcenter_arcface"
    margin: float = Field(default=28.6, ge=0, lt=90)
    """Margin in degrees."""
    scale: float = Field(default=16.0, gt=0)
    """Factor of the cosines."""
    centers: int = Field(default=3, ge=1)
    """Directions of each class."""

    def parts(self, sizes: Sizes) -> dict[str, Any]:
        from pytorch_metric_learning.losses import SubCenterArcFaceLoss

        loss = SubCenterArcFaceLoss(
            num_classes=sizes.num_classes,
            embedding_size=sizes.embedding_dim,
            margin=self.margin,
            scale=self.scale,
            sub_centers=self.centers,
        )
        loss.get_angles = finite_angles
        return {"loss": loss}


class Center(LossSpec):
    """Half the squared distance of each embedding to the running centre of its class.

    Notes
    -----
    - Batch: any.
    - Sampler: natural or class-balanced.
    - Related: it only pulls, so alone it collapses: sum it, with a small weight, with ``cross_entropy`` or another loss
      that keeps classes apart. Its centres follow the embeddings by the paper's rule, not by the optimizer.

    Examples
    --------
    >>> Center(weight=0.01).rate
    0.5

    References
    ----------
    Wen, Zhang, Li and Qiao (2016), A Discriminative Feature Learning Approach for Deep Face Recognition.
    """

    name: Literal["center"] = "center"
    rate: float = Field(default=0.5, gt=0, le=1)
    """How far a centre moves towards the images of a batch, alpha in the paper."""

    def parts(self, sizes: Sizes) -> dict[str, Any]:
        import torch

        return {"centers": torch.nn.Buffer(torch.zeros(sizes.num_classes, sizes.embedding_dim))}

    def value(self, outputs: Outputs, centers: Tensor) -> Tensor:
        return (outputs.embeddings - centers[outputs.labels]).square().sum(dim=1).mean() / 2

    def update(self, outputs: Outputs, centers: Tensor) -> None:
        offsets = outputs.embeddings - centers[outputs.labels]
        sums = centers.new_zeros(centers.shape).index_add_(0, outputs.labels, offsets)
        counts = outputs.labels.bincount(minlength=len(centers))
        centers += self.rate * sums / (1 + counts)[:, None]


def finite_angles(cosine: Tensor) -> Tensor:
    """Angles whose gradient stays finite where an embedding lies exactly on, or opposite, its class weight."""
    limit = 1 - 1e-6
    return cosine.clamp(-limit, limit).acos()
