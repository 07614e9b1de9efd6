"""Two processes over gloo learn what one process learns from the joined batch."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ferembed import Recognizer
from ferembed.losses import loss_names
from ferembed.training.distributed import gather_outputs, is_first, world_size

sys.path.insert(0, str(Path(__file__).parent))
from test_fit import TINY, curve, faces

ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}

GRADIENTS = """
import os, sys, time
from pathlib import Path
import torch
from safetensors.torch import save_file
from torch import distributed as dist, nn
from torch.nn.parallel import DistributedDataParallel
from ferembed.losses import CombinedLoss, Outputs, loss_names, make_loss
from ferembed.training.distributed import gather_outputs

rank, size, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
if size > 1:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=size)

class Learner(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(12, 16), nn.Tanh(), nn.Linear(16, 8))
        self.head, self.vote_head = nn.Linear(8, 3), nn.Linear(8, 4)
        self.loss = CombinedLoss([spec], num_classes=3, embedding_dim=8, class_counts=[6, 5, 5])

    def forward(self, images, labels, votes, targets, taught):
        points = nn.functional.normalize(self.trunk(images), dim=1)
        outputs = Outputs(points, labels, self.head(points), votes, self.vote_head(points), targets, taught)
        return self.loss(gather_outputs(outputs))[0]

def gradients(spec, mixed):
    torch.manual_seed(0)
    learner = Learner(spec)
    model = DistributedDataParallel(learner, find_unused_parameters=True) if size > 1 else learner
    images, labels = torch.randn(16, 12), torch.tensor([0, 1, 2, 0] * 4)
    votes, taught = torch.rand(16, 4).softmax(1), torch.randn(16, 3)
    targets = nn.functional.one_hot(labels, 3).float()
    targets = (0.7 * targets + 0.3 * targets.roll(1, 0)) if mixed else None
    mine = slice(rank * 16 // size, (rank + 1) * 16 // size)
    loss = model(images[mine], labels[mine], votes[mine], targets[mine] if mixed else None, taught[mine])
    loss.backward()
    found = {name: p.grad for name, p in learner.named_parameters() if p.grad is not None}
    return {**found, "value": loss.detach()[None]}

SPECS = {name: make_loss(name) for name in loss_names()}
SPECS["twins"] = make_loss("contrastive", pairs="twins")
SPECS["hard"] = make_loss("triplet", miner={"name": "hard", "warm_up": 0})
found = {
    f"{which}/{mixed}/{name}": value
    for which, spec in SPECS.items()
    for mixed in (False, True)
    for name, value in gradients(spec, mixed).items()
}
if rank == size - 1:
    save_file(found, f"{folder}/gradients-{size}.safetensors")
# Each leaves when all are done and takes nothing apart: gloo's threads sometimes abort a process that does.
Path(folder, f"done-{size}-{rank}").touch()
while not all(Path(folder, f"done-{size}-{other}").exists() for other in range(size)):
    time.sleep(0.05)
os._exit(0)
"""


def run_together(code, *arguments, processes):
    commands = [[sys.executable, "-c", code, str(rank), str(processes), *arguments] for rank in range(processes)]
    running = [subprocess.Popen(command, env=ONE_THREAD) for command in commands]
    assert [process.wait() for process in running] == [0] * processes


@pytest.mark.slow
def test_gradients_of_every_loss_are_those_of_one_process_with_the_joined_batch(tmp_path):
    for processes in (1, 2):
        run_together(GRADIENTS, str(tmp_path), processes=processes)
    one, two = (load_file(tmp_path / f"gradients-{n}.safetensors") for n in (1, 2))
    for which in (*loss_names(), "twins", "hard"):
        for mixed in (False, True):
            assert one[f"{which}/{mixed}/trunk.0.weight"].abs().max() > 0, which
    assert {"proxy_anchor/False/loss.losses.proxy_anchor.loss.proxies", "arcface/False/loss.losses.arcface.loss.W"} < (
        one.keys()
    )
    for name in one.keys() | two.keys():
        # A parameter that a loss does not touch has no gradient in one process, and may have zeros in two.
        none = torch.zeros_like((one if name in one else two)[name])
        np.testing.assert_allclose(two.get(name, none), one.get(name, none), rtol=1e-4, atol=1e-6, err_msg=name)


def test_one_process_gathers_nothing():
    outputs = object()
    assert gather_outputs(outputs) is outputs
    assert (world_size(), is_first()) == (1, True)


TRAIN = """
import sys
sys.path.insert(0, sys.argv[1])
from test_distributed import RECIPES
from test_fit import faces
from ferembed import train

if __name__ == "__main__":
    data, devices = faces(), int(sys.argv[3])
    recipe = RECIPES[sys.argv[4]].override({"batches.size": 64 // devices})
    strategy = "ddp" if devices > 1 else "auto"
    run = train(recipe, data.split("train"), data.split("validation"), sys.argv[2], accelerator="cpu",
                devices=devices, strategy=strategy)
    print(run.predict(data.split("test").images)[:3].tolist())
"""

JOINED = TINY.override(
    {
        "epochs": 2,
        # Without batch statistics and random changes, two halves of a batch are the batch.
        "encoder.backbone_args": {"channels": [8, 8, 8, 8], "stem_width": 8, "norm_layer": "groupnorm1"},
        "augment": {"flip": 0, "degrees": 0, "scale": [1, 1], "translate": 0, "brightness": 0, "contrast": 0}
        | {"erasing": 0},
    }
)


RECIPES = {
    "natural": JOINED,
    "hard pairs": JOINED.override({"losses": ["contrastive"], "batches.kind": "pairs", "batches.hard_share": 0.5}),
}


@pytest.fixture(scope="module", params=RECIPES)
def runs(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("devices")
    script = folder / "script.py"
    script.write_text(TRAIN)
    here = str(Path(__file__).parent)
    for devices in (1, 2):
        command = [sys.executable, str(script), here, str(folder / str(devices)), str(devices), request.param]
        done = subprocess.run(command, env=ONE_THREAD, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("['") == devices, done.stdout
    return [folder / "1", folder / "2"]


@pytest.mark.slow
def test_two_devices_learn_as_one_with_twice_the_batch(runs):
    one, two = (curve(folder) for folder in runs)
    assert one == pytest.approx(two, rel=1e-4)


@pytest.mark.slow
def test_two_devices_leave_one_run(runs):
    images = faces().split("test").images
    probabilities = [Recognizer.load(folder).predict_proba(images) for folder in runs]
    np.testing.assert_allclose(*probabilities, atol=0.02)
    assert sorted(p.name for p in runs[0].iterdir()) == sorted(p.name for p in runs[1].iterdir())
