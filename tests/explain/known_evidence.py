"""A recogniser whose evidence is known: it sees bright spots and nothing else."""

from types import SimpleNamespace

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator
from torch import nn
from torch.nn import functional as F

from ferembed import KNNClassifier, SoftmaxHead, VotingEnsemble

BACKGROUND, SPOT = 0.3, 0.9
SIDE = 8


class SpotEncoder(nn.Module):
    """Embeds how much of an image is brighter than 0.6, and looks at nothing else; 48 x 48 pixels."""

    def __init__(self, channels=1):
        super().__init__()
        self.channels, self.image_size, self.embedding_dim = channels, 48, 2
        self.bright = nn.Conv2d(channels, 1, 1)
        nn.init.constant_(self.bright.weight, 1 / channels)
        nn.init.constant_(self.bright.bias, -0.6)

    def forward(self, images):
        amount = F.relu(self.bright(images)).mean(dim=(1, 2, 3)) * 100
        return F.normalize(torch.stack([amount, torch.full_like(amount, 0.5)], dim=1), dim=1)


def spot_faces(corners, channels=1, spot=SPOT):
    """Dim noise with one bright square of 8 x 8 pixels whose top left pixel is given; (n, 48, 48[, 3])."""
    rng = np.random.default_rng(0)
    faces = rng.uniform(BACKGROUND - 0.1, BACKGROUND + 0.1, (len(corners), 48, 48)).astype(np.float32)
    for face, (top, left) in zip(faces, corners, strict=True):
        face[top : top + SIDE, left : left + SIDE] = spot
    return faces if channels == 1 else np.repeat(faces[..., None], 3, axis=3)


def spot_recognizer(channels=1, weights="softmax"):
    """Says "spot" where an image has a bright spot, by a softmax head, by neighbours and by both."""
    angles = np.linspace(0, np.pi / 2, 60)
    gallery = np.stack([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)
    labels = (angles < np.pi / 4).astype(int)
    knn = KNNClassifier(60, weights=weights, temperature=0.2).fit(gallery, labels)
    softmax = SoftmaxHead.from_weights([[3.0, 0.0], [0.0, 3.0]], [0.0, 0.0], [0, 1])
    members = [(name, FrozenEstimator(member)) for name, member in (("softmax", softmax), ("knn", knn))]
    vote = VotingEnsemble(members, calibration=None).fit(gallery, labels)
    encoder = SpotEncoder(channels).eval()

    def encode(images):
        pixels = torch.from_numpy(np.asarray(images, np.float32))
        with torch.no_grad():
            return encoder(pixels[:, None] if channels == 1 else pixels.permute(0, 3, 1, 2)).numpy()

    return SimpleNamespace(
        engine=SimpleNamespace(encoder=encoder),
        classes_=np.array(["spot", "plain"]),
        voters={"softmax": softmax, "knn": knn, "vote": vote},
        encode=encode,
    )
