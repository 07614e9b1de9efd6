import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from ferembed.storage import StorageError
from ferembed.training.checkpoint import SafetensorsCheckpointIO

leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.sampled_from([torch.arange(6.0).reshape(2, 3), torch.tensor(3), torch.zeros(0), torch.eye(2).T.bfloat16()])
)
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=4) | st.integers(0, 9), inner, max_size=3)
    ),
    max_leaves=10,
)


def same(a, b):
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


@settings(max_examples=60)
@given(tree=st.dictionaries(st.text(max_size=4), trees, max_size=4))
def test_checkpoints_come_back_as_they_were(tmp_path_factory, tree):
    path = tmp_path_factory.mktemp("checkpoint") / "last.ckpt"
    io = SafetensorsCheckpointIO()
    io.save_checkpoint(tree, path)
    assert same(tree, io.load_checkpoint(path))


def test_foreign_and_broken_files_are_refused(tmp_path):
    path, io = tmp_path / "checkpoints" / "last.ckpt", SafetensorsCheckpointIO()
    advice = rf"no readable checkpoint \(.*\): remove the folder {tmp_path / 'checkpoints'} and run"
    path.parent.mkdir()
    with pytest.raises(StorageError, match=advice):
        io.load_checkpoint(path)
    torch.save({"a": 1}, path)
    with pytest.raises(StorageError, match=advice):
        io.load_checkpoint(path)
    save_file({"a": torch.zeros(3)}, path)
    with pytest.raises(StorageError, match=advice):
        io.load_checkpoint(path)
    io.save_checkpoint({"a": torch.zeros(100)}, path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(StorageError, match=advice):
        io.load_checkpoint(path)


def test_a_value_that_cannot_be_kept_is_named(tmp_path):
    with pytest.raises(TypeError, match=r"checkpoint\.a\.1 is a set"):
        SafetensorsCheckpointIO().save_checkpoint({"a": [1, {2}]}, tmp_path / "last.ckpt")
    assert not list(tmp_path.iterdir())
