"""The example runs, in a form too short to learn anything."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "error_analysis.py"


def test_error_analysis_compares_models_and_draws_what_they_see(tmp_path):
    if not EXAMPLE.is_file():
        pytest.skip("the examples are not beside the tests")
    shortened = ["--epochs", "1", "--drawn", "210", "--models", "ResNet10", "half ResNet10", "--out", str(tmp_path)]
    done = subprocess.run([sys.executable, EXAMPLE, *shortened], capture_output=True, text=True, check=True)
    table = [line for line in done.stdout.splitlines() if line.endswith("%")]
    assert [line[:14].strip() for line in table if line[:14].strip() in ("ResNet10", "half ResNet10", "ensemble")] == [
        "ResNet10",
        "half ResNet10",
        "ensemble",
    ]
    assert "the models differ most on" in done.stdout
    for name, height in (("confusion.png", 1000), ("saliency.png", 150)):
        assert Image.open(tmp_path / name).size[1] > height
