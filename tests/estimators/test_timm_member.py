"""A checkpoint of timm as a member of an ensemble."""

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from ferembed.estimators import TorchMember, VotingEnsemble

CLASSES = ["angry", "happy", "sad"]


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return timm.create_model("resnet10t", num_classes=3, in_chans=1).eval()


@pytest.mark.parametrize("kind", ["safetensors", "torch"])
def test_a_timm_checkpoint_votes_as_its_network_would(tmp_path, network, kind):
    images = np.random.default_rng(0).random((30, 1, 48, 48), dtype=np.float32)
    if kind == "safetensors":
        save_file(network.state_dict(), tmp_path / "weights.safetensors")
    else:
        torch.save(network.state_dict(), tmp_path / "weights.pth")
    (file,) = tmp_path.iterdir()
    member = TorchMember.from_timm("resnet10t", file, CLASSES, in_chans=1)
    with torch.inference_mode():
        expected = network(torch.from_numpy(images)).softmax(dim=1).numpy()
    np.testing.assert_allclose(member.predict_proba(images), expected, atol=1e-5)
    said = np.array(CLASSES)[expected.argmax(axis=1)]
    vote = VotingEnsemble([("timm", member), ("torch", TorchMember(network, CLASSES))]).fit(images, said)
    assert vote.predict(images).tolist() == said.tolist()


def test_a_checkpoint_that_is_missing_or_foreign_is_refused(tmp_path, network):
    with pytest.raises(FileNotFoundError, match=r"no checkpoint .*weights\.safetensors"):
        TorchMember.from_timm("resnet10t", tmp_path / "weights.safetensors", CLASSES)
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    with pytest.raises(RuntimeError, match="size mismatch"):
        TorchMember.from_timm("resnet10t", tmp_path / "weights.safetensors", CLASSES)
