"""Training neither disturbs the process around it, nor is disturbed by it."""

import getpass
import logging
import os
import pwd
import random
import signal
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from ferembed import TrainingError, load_fer2013, train
from ferembed.runs._surroundings import undisturbed

sys.path.insert(0, str(Path(__file__).parent))
from test_fit import TINY, curve, faces

SHORT = TINY.override({"epochs": 1, "encoder.backbone_args.drop_rate": 0.1})


def surroundings():
    return {
        "torch": torch.get_rng_state().tolist(),
        "numpy": [part.tolist() if isinstance(part, np.ndarray) else part for part in np.random.get_state()],  # noqa: NPY002
        "random": random.getstate(),
        "threads": torch.get_num_threads(),
        "deterministic": (torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.deterministic),
        "benchmark": torch.backends.cudnn.benchmark,
        "type": torch.get_default_dtype(),
        "precision": torch.get_float32_matmul_precision(),
        "gradients": torch.is_grad_enabled(),
        "warnings": list(warnings.filters),
        "levels": {name: logging.getLogger(name).level for name in ("", "lightning", "lightning.pytorch", "torch")},
        "environment": {name: os.environ[name] for name in os.environ if not name.startswith("KMP_")},
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)],
        "errors": np.geterr(),
        "umask": os.umask(0o22) or os.umask(0o22),
    }


def run(out, **changes):
    data = faces()
    train(SHORT.override(changes), data.split("train"), data.split("validation"), out)


def assert_undisturbed(out):
    before = surroundings()
    run(out / "run")
    assert surroundings() == before
    with pytest.raises(TrainingError):
        run(out / "broken", **{"optimizer.lr": 1e30, "optimizer.warmup_epochs": 0})
    assert surroundings() == before


def plain(out):
    run(Path(out) / "run")


def disturbed(out):
    random.seed(1), np.random.seed(2), torch.manual_seed(3)  # noqa: NPY002
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = True
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", ".* held-out rows, fewer than 100")
    logging.getLogger("lightning.pytorch").setLevel(logging.CRITICAL)
    signal.signal(signal.SIGTERM, lambda *_: None)
    np.seterr(invalid="raise")
    assert_undisturbed(Path(out))
    run(Path(out) / "again")


def test_training_leaves_the_process_as_it_was(tmp_path):
    assert_undisturbed(tmp_path)


def test_training_is_decided_by_its_seed_in_whatever_process(starter, tmp_path):
    assert starter.run(plain, tmp_path / "plain") == 0
    assert starter.run(disturbed, tmp_path / "disturbed") == 0
    expected = curve(tmp_path / "plain" / "run")
    assert curve(tmp_path / "disturbed" / "run") == curve(tmp_path / "disturbed" / "again") == expected


def homeless(out):
    """As a process under a number that is no user's."""

    def nobody(number):
        raise KeyError(f"getpwuid(): uid not found: {number}")

    pwd.getpwuid = nobody
    for name in ("HOME", "XDG_CACHE_HOME", "LOGNAME", "USER", "LNAME", "USERNAME"):
        os.environ.pop(name, None)
    rows = [f"{i % 7},{' '.join(str((i * j) % 256) for j in range(48 * 48))},{usage}" for i, usage in USAGES]
    (Path(out) / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *rows]))
    assert len(load_fer2013(Path(out) / "fer2013.csv")) == len(rows)
    assert_undisturbed(Path(out))
    with undisturbed():
        assert getpass.getuser()


USAGES = list(enumerate(["Training"] * 7 + ["PublicTest"] * 7 + ["PrivateTest"] * 7))


def test_who_has_no_name_and_no_home_trains_all_the_same(starter, tmp_path):
    assert starter.run(homeless, tmp_path) == 0
