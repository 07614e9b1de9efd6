"""Networks for ONNX Runtime: judged before they are taken, and written by the command."""

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import ferembed as fe
from ferembed.cli import app
from ferembed.data import drawn_faces
from ferembed.models import Network
from ferembed.models.engines import OnnxEngine, TorchEngine
from ferembed.models.files import GRAPH, INT8
from ferembed.runs.exporting import add_graph, add_int8

FACES = drawn_faces(300, seed=3)
TRAIN, VALIDATION = FACES.split("train"), FACES.split("validation")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The folder of a recogniser without a graph."""
    torch.manual_seed(0)
    arguments = {"channels": (8, 16, 24, 32)}
    network = Network(fe.Encoder("resnet18", embedding_dim=16, stem="small-stride", backbone_args=arguments), 7)
    with torch.no_grad():
        for _ in range(3):
            network.train().encoder(torch.rand(8, 1, 48, 48))
    folder = tmp_path_factory.mktemp("plain")
    fe.Recognizer.build(network.eval(), TRAIN, VALIDATION).save(folder)
    return folder


@pytest.fixture(scope="module")
def exported(plain, tmp_path_factory):
    """The folder of the same one with its graph."""
    recognizer = fe.Recognizer.load(plain)
    assert isinstance(recognizer.engine, TorchEngine)
    add_graph(recognizer)
    assert isinstance(recognizer.engine, OnnxEngine)
    folder = tmp_path_factory.mktemp("exported")
    recognizer.save(folder)
    return folder


@pytest.mark.parametrize("views", ["single", "flip", "ten_crop"])
def test_a_recogniser_answers_the_same_with_its_graph(plain, exported, views):
    said, again = (
        fe.Recognizer.load(folder).predict_proba(VALIDATION.images, views=views) for folder in (plain, exported)
    )
    np.testing.assert_allclose(again, said, atol=1e-4)


def test_what_is_done_to_the_encoder_is_heeded_and_saved(exported, tmp_path):
    recognizer = fe.Recognizer.load(exported)
    assert isinstance(recognizer.engine, OnnxEngine)
    before = recognizer.encode(VALIDATION.images[:4])
    with torch.no_grad():
        recognizer.encoder.head.weight.mul_(-1)
    assert isinstance(recognizer.engine, TorchEngine)
    after = recognizer.encode(VALIDATION.images[:4])
    assert np.abs(after - before).max() > 0.1
    recognizer.save(tmp_path / "run")
    again = fe.Recognizer.load(tmp_path / "run")
    assert isinstance(again.engine, OnnxEngine)
    np.testing.assert_allclose(again.encode(VALIDATION.images[:4]), after, atol=1e-5)


def test_8_bits_are_refused_where_they_cost_too_much(exported):
    """Ranges of faces that are all but grey leave nothing of others; the gallery's own are known to the floats."""
    recognizer = fe.Recognizer.load(exported)
    engine = recognizer.engine
    flat = fe.FaceDataset(100 + (TRAIN.images // 40).astype(np.uint8), TRAIN.labels, TRAIN.classes)
    with pytest.raises(fe.DataError, match=r"8 bits cost the k-NN .* points of accuracy .*, more than 0.3"):
        add_int8(recognizer, flat, TRAIN)
    assert recognizer.engine is engine
    with pytest.raises(fe.DataError, match="the data holds none"):
        add_int8(recognizer, TRAIN.subset([]), VALIDATION)


def test_export_writes_into_the_folder_and_into_a_file(plain, tmp_path):
    run, file = str(tmp_path / "run"), str(tmp_path / "one.safetensors")
    recognizer = fe.Recognizer.load(plain)
    recognizer.save(run)
    said = recognizer.predict_proba(VALIDATION.images)

    def told(*arguments, code=0):
        result = CliRunner().invoke(app, ["export", *arguments])
        assert result.exit_code == code, result.output
        return result.output

    assert "encoder.onnx: ONNX, operators of version 20, any number of faces at once" in told(run)
    assert (tmp_path / "run" / GRAPH).is_file()
    assert not (tmp_path / "run" / INT8).exists()
    told(run, file)
    for path in (run, file):
        again = fe.load(path, engine="onnx")
        np.testing.assert_allclose(again.predict_proba(VALIDATION.images), said, atol=1e-2 if path == file else 1e-4)
    assert "has no folder to write into: name a FILE" in told(file, code=2)
