"""One network in PyTorch and in ONNX Runtime: the same answers, one set of weights, safe among processes."""

import copy
import multiprocessing
import pickle

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from ferembed import Encoder
from ferembed.models.engines import OnnxEngine, TorchEngine, engine_for, made
from ferembed.models.exporting import OPSET, with_graph, with_int8
from ferembed.models.files import GRAPH, INT8, EncoderFiles

RESNET = {"backbone_args": {"channels": (8, 16, 24, 32), "block_args": {"attn_layer": "se"}}, "stem": "small"}
OTHERS = [
    # No batch normalisation.
    {"backbone": "vgg11", "stem": "standard", "image_size": 32, "backbone_args": {"mlp_ratio": 1 / 64}},
    {"backbone": "lcnet_035", "stem": "small-stride", "channels": 3},
    {"backbone": "vit_tiny_patch16_224", "stem": "standard", "backbone_args": {"depth": 2}},
]


def encoder(**options):
    """An untrained network whose batch normalisations do something."""
    torch.manual_seed(0)
    network = Encoder(**{"embedding_dim": 16, **options})
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                torch.nn.init.uniform_(layer.weight, 0.5, 1.5)
        for _ in range(3):
            network.train()(torch.rand(8, network.channels, network.image_size, network.image_size))
    return network.eval()


def pixels(network, n, seed=0):
    shape = (n, network.channels, network.image_size, network.image_size)
    return np.random.default_rng(seed).random(shape, np.float32)


@pytest.fixture(scope="module")
def files():
    network = encoder(**RESNET)
    whole = with_graph(TorchEngine(network).files)
    return with_int8(whole, pixels(network, 64, seed=1))


def test_both_engines_answer_alike(files):
    assert_alike(files)


@pytest.mark.parametrize("options", OTHERS, ids=lambda options: options["backbone"])
def test_both_engines_answer_alike_for_other_networks(options):
    assert_alike(with_graph(TorchEngine(encoder(**options)).files))


def assert_alike(files):
    network = made(files)
    plain, fast = TorchEngine(network), engine_for(files)
    assert isinstance(fast, OnnxEngine)
    for n in (1, 3, 40):
        faces = pixels(network, n)
        embeddings = fast.embed(faces)
        np.testing.assert_allclose(embeddings, plain.embed(faces), atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)


def test_the_graph_is_a_standard_file_that_takes_its_weights_from_the_file_beside_it(files, tmp_path):
    files.write(tmp_path)
    model = onnx.load(tmp_path / GRAPH)
    onnx.checker.check_model(str(tmp_path / GRAPH))
    assert {entry.version for entry in model.opset_import if not entry.domain} == {OPSET}
    inside = [tensor for tensor in onnx.load(tmp_path / GRAPH, load_external_data=False).graph.initializer]
    assert {tensor.name for tensor in inside if tensor.external_data} == files.graph.places.keys()
    assert "head.weight" in files.graph.places
    assert sum(np.prod(tensor.dims) for tensor in inside if not tensor.external_data) < 1000
    faces = pixels(made(files), 5)
    session = onnxruntime.InferenceSession(tmp_path / GRAPH)
    np.testing.assert_allclose(session.run(None, {"faces": faces})[0], OnnxEngine(files).embed(faces), atol=1e-6)


def test_what_is_written_is_read_again(files, tmp_path):
    again = EncoderFiles.read(tmp_path, files.write(tmp_path))
    assert (again.config, again.graph, again.int8.model) == (files.config, files.graph, files.int8.model)
    assert {name: array.shape for name, array in again.weights.items()} == {
        name: array.shape for name, array in files.weights.items()
    }
    made(again)  # every weight has the shape that the network wants


def test_the_graph_serves_other_weights_and_the_8_bit_file_does_not(files, tmp_path):
    changed = made(files)
    with torch.no_grad():
        changed.head.weight.mul_(-1.5)
    saved = TorchEngine(changed, files).files
    assert saved.int8 is None
    again = EncoderFiles.read(tmp_path, saved.write(tmp_path))
    faces = pixels(changed, 4)
    np.testing.assert_allclose(OnnxEngine(again).embed(faces), TorchEngine(changed).embed(faces), atol=1e-5)
    assert not (tmp_path / INT8).exists()
    assert TorchEngine(made(files), files).files is files


def test_a_graph_is_left_out_where_the_weights_lie_elsewhere_than_it_says(files, tmp_path):
    """As another version of safetensors might lay them."""
    wider = dict(files.weights, **{"a.first": np.zeros(1000)})
    known = EncoderFiles(files.config, wider, files.graph).write(tmp_path)
    assert "graph" not in known
    assert not (tmp_path / GRAPH).exists()


def test_8_bit_weights_take_no_room_in_a_small_file_and_are_made_again(files, tmp_path):
    known = files.bare.bare.write(tmp_path)
    taken_out = len(files.int8.model) - (tmp_path / INT8).stat().st_size
    assert taken_out > 0.9 * sum(weight.size for name, weight in files.weights.items() if "conv" in name)
    assert EncoderFiles.read(tmp_path, known).int8.model == files.int8.model
    onnx.checker.check_model(files.int8.model)


def test_8_bits_stay_near_the_floats(files):
    faces = pixels(made(files), 40, seed=2)
    floats, bits = OnnxEngine(files).embed(faces), OnnxEngine(files, int8=True).embed(faces)
    assert not np.array_equal(floats, bits)
    assert (floats * bits).sum(axis=1).min() > 0.98
    convolutions = [
        node for node in onnx.load_from_string(files.int8.model).graph.node if node.op_type == "QuantizeLinear"
    ]
    assert len(convolutions) > 15


def test_engines_are_chosen_by_name_and_by_what_is_there(files):
    bare = EncoderFiles(files.config, files.weights)
    assert isinstance(engine_for(bare), TorchEngine)
    assert isinstance(engine_for(files, "torch"), TorchEngine)
    with pytest.raises(ValueError, match="no network for the engine 'onnx': write it by `ferembed export RUN`"):
        engine_for(bare, "onnx")
    with pytest.raises(ValueError, match="write it by `ferembed export RUN --int8 DATA`"):
        engine_for(bare, "int8")
    with pytest.raises(ValueError, match="engine must be one of auto, onnx, int8, torch, not 'cuda'"):
        engine_for(files, "cuda")


def test_a_copy_and_a_pickle_answer_as_the_engine_does(files):
    engine = OnnxEngine(files)
    faces = pixels(made(files), 2)
    said = engine.embed(faces)
    for again in (copy.deepcopy(engine), pickle.loads(pickle.dumps(engine))):
        np.testing.assert_array_equal(again.embed(faces), said)


@pytest.mark.processes
def test_a_forked_child_answers_although_its_parents_threads_are_missing(files, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    engine = OnnxEngine(files)
    faces = pixels(made(files), 40)
    said = engine.embed(faces)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        heard = pool.apply_async(engine.embed, (faces,)).get(timeout=120)
    np.testing.assert_allclose(heard, said, atol=1e-6)
