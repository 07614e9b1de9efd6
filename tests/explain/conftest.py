"""A recogniser that several tests share; lets them import ``known_evidence``, whichever import mode pytest runs in."""

import sys
from pathlib import Path

import pytest
import torch

from ferembed import Encoder, Recognizer
from ferembed.models import Network

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def small(drawn):
    """A real recogniser with a small ResNet that has seen the training faces ten times."""
    torch.manual_seed(0)
    arguments = {"channels": (8, 16, 24, 32)}
    network = Network(Encoder("resnet18", embedding_dim=16, stem="small-stride", backbone_args=arguments), 7)
    train = drawn.split("train")
    images, labels = torch.from_numpy(train.images.copy())[:, None] / 255, torch.from_numpy(train.labels.copy())
    optimizer = torch.optim.AdamW(network.parameters(), lr=4e-3)
    for _ in range(10):
        for rows in torch.randperm(len(images)).split(49):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(images[rows])[1], labels[rows]).backward()
            optimizer.step()
    return Recognizer.build(network, train, drawn.split("validation"))
