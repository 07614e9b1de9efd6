"""The parts in a PyTorch loop that somebody else writes."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import ferembed as fe


@pytest.mark.filterwarnings("ignore:Calibrating the voters was given")
def test_the_loop_of_the_readme_runs_and_makes_a_recogniser(tmp_path):
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (loop,) = re.findall(r"```python\n(import torch\n.*?)```", readme, re.DOTALL)
    faces = fe.drawn_faces(280)
    names = {"fe": fe, "faces": faces}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        exec(loop, names)
    recognizer = names["recognizer"]
    assert names["total"].isfinite()
    assert set(names["parts"]) == {"cross_entropy", "supcon"}
    recognizer.save(tmp_path / "own")
    some = faces.split("validation").images[:5]
    asked = fe.Recognizer.load(tmp_path / "own").predict_proba(some)
    np.testing.assert_allclose(asked, recognizer.predict_proba(some), atol=1e-5)


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_data_loader_takes_faces_as_they_are(tmp_path, in_memory, drawn):
    from PIL import Image

    for row, image in enumerate(drawn.images[:20]):
        folder = tmp_path / "train" / drawn.classes[drawn.labels[row]]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{row:02}.png")
    faces = fe.load_folder(tmp_path, in_memory=in_memory)
    images, labels = zip(*DataLoader(faces, batch_size=8), strict=True)
    np.testing.assert_array_equal(torch.cat(images), np.array(faces.images))
    np.testing.assert_array_equal(torch.cat(labels), faces.labels)
    assert [len(batch) for batch in labels] == [8, 8, 4]
    image, label = pickle.loads(pickle.dumps(faces))[-1]
    np.testing.assert_array_equal(image, faces.images[19])
    assert label == faces.labels[-1]
    image[:] = 0  # a copy: the data set does not change
    assert faces.images[19].any()
    with pytest.raises(IndexError):
        faces[20]
    with pytest.raises(TypeError):
        faces[:2]
