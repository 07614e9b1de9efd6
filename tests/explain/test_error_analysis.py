"""The example runs, in a form too short to learn anything."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from ferembed import drawn_faces

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "error_analysis.py"


def fer2013(folder):
    """Drawn faces in a file like FER2013's."""
    faces, usages = drawn_faces(280), {"train": "Training", "validation": "PublicTest", "test": "PrivateTest"}
    pixels = [" ".join(map(str, image.ravel())) for image in faces.images]
    rows = zip(faces.labels, pixels, map(usages.get, faces.splits), strict=True)
    path = folder / "fer2013.csv"
    path.write_text("\n".join(["emotion,pixels,Usage", *(f"{label},{cells},{usage}" for label, cells, usage in rows)]))
    return [str(path)]


@pytest.mark.slow
@pytest.mark.parametrize("source", [lambda folder: ["--drawn", "210"], fer2013], ids=["drawn", "fer2013"])
def test_error_analysis_compares_models_and_draws_what_they_see(tmp_path, source):
    if not EXAMPLE.is_file():
        pytest.skip("the examples are not beside the tests")
    shortened = [*source(tmp_path), "--epochs", "1", "--models", "ResNet10", "half ResNet10", "--out", str(tmp_path)]
    done = subprocess.run([sys.executable, EXAMPLE, *shortened], capture_output=True, text=True, check=True)
    table = [line for line in done.stdout.splitlines() if line.endswith("%")]
    assert [line[:14].strip() for line in table if line[:14].strip() in ("ResNet10", "half ResNet10", "ensemble")] == [
        "ResNet10",
        "half ResNet10",
        "ensemble",
    ]
    assert "the models differ most on these classes" in done.stdout
    for name, height in (("confusion.png", 1000), ("saliency.png", 150)):
        assert Image.open(tmp_path / name).size[1] > height
