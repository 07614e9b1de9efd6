"""Saved galleries come back as they were; damaged and foreign ones are refused with a sentence."""

import json
from pathlib import Path

import numpy as np
import pytest

from ferembed.index import ExactIndex, FaissIndex, IndexStateError, faiss_index, load_index, make_index
from ferembed.storage import MANIFEST, StorageError, sha256

KINDS = ["exact", "flat", "ivf", "auto"]


@pytest.fixture(autouse=True)
def small_lists(monkeypatch):
    monkeypatch.setattr(faiss_index, "LISTS_FROM", 300)


def filled(kind, n=600):
    rng = np.random.default_rng(0)
    index = make_index(kind, 16)
    index.add(rng.normal(size=(n, 16)), ids=rng.permutation(10 * n)[:n], labels=rng.integers(0, 7, n))
    index.remove(index.ids[::5])
    return index


@pytest.mark.parametrize("kind", KINDS)
def test_round_trip(kind, tmp_path):
    index = filled(kind)
    index.save(tmp_path / "gallery")
    again = load_index(tmp_path / "gallery")
    assert type(again) is type(index)
    assert (again.kind, again.dim, len(again)) == (index.kind, 16, 480)
    queries = np.random.default_rng(1).normal(size=(20, 16))
    for before, after in zip(index.search(queries, 9), again.search(queries, 9), strict=True):
        np.testing.assert_array_equal(before, after)
    np.testing.assert_array_equal(index.reconstruct(index.ids), again.reconstruct(index.ids))
    for one in (index, again):
        one.add(queries[:2])
        one.remove(one.ids[3:6])
    np.testing.assert_array_equal(index.ids, again.ids)
    np.testing.assert_array_equal(index.search(queries, 9).ids, again.search(queries, 9).ids)


def test_saving_takes_no_other_file_away(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    index = make_index("exact", 2)
    with pytest.raises(StorageError, match=r"notes\.txt, which this library did not save there"):
        index.save(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_index_comes_back(kind, tmp_path):
    make_index(kind, 4).save(tmp_path / "gallery")
    again = load_index(tmp_path / "gallery")
    again.add([[0, 0, 2, 0]])
    assert again.search([[0, 0, 1, 0]], k=1).ids.tolist() == [[0]]


def test_an_id_is_not_used_again_after_saving(tmp_path):
    index = make_index("flat", 2)
    index.add([[1, 0], [0, 1]])
    index.remove([1])
    index.save(tmp_path / "gallery")
    again = load_index(tmp_path / "gallery")
    again.add([[1, 1]])
    assert again.ids.tolist() == [0, 2]


@pytest.mark.parametrize("kind", KINDS)
def test_every_damaged_file_is_refused_by_name(kind, tmp_path):
    folder = tmp_path / "gallery"
    filled(kind).save(folder)
    files = [p for p in folder.iterdir() if p.name != MANIFEST]
    assert len(files) >= 4
    for file in files:
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(StorageError, match=f"{file.name} is truncated or altered"):
            load_index(folder)
        file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(StorageError, match=f"{file.name} is truncated or altered"):
            load_index(folder)
        file.write_bytes(whole)
    load_index(folder)


def rewrite(folder, name, content):
    """Change a file and its checksum, as someone else's writer would."""
    (folder / name).write_bytes(content)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"][name] = sha256(folder / name)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def test_foreign_files_are_refused_with_a_sentence(tmp_path):
    with pytest.raises(StorageError, match=r"manifest\.json"):
        load_index(tmp_path / "nowhere")
    folder = tmp_path / "gallery"

    def refused(kind, name, content, sentence):
        filled(kind).save(folder)
        rewrite(folder, name, content)
        with pytest.raises(StorageError, match=sentence):
            load_index(folder)

    refused("flat", "config.json", b"[]", "not an index of this version")
    refused("flat", "config.json", b'{"format": "other"}', "not an index of this version")
    refused("flat", "config.json", b"\x00", "no readable config.json")
    refused("flat", "config.json", b'{"format": "ferembed-index-1", "class": "Foo"}', "unknown index 'Foo'")
    refused("flat", "config.json", b'{"format": "ferembed-index-1", "class": "FaissIndex"}', "does not describe")
    refused("flat", "vectors.npy", b"PK not numbers", "vectors.npy is not an array file")
    refused("ivf", "lists.faiss", b"IxFI nothing", "lists.faiss is not a FAISS index")
    graph = (Path(__file__).parents[1] / "kept" / "indexes" / "hnsw" / "graph.faiss").read_bytes()
    refused("ivf", "lists.faiss", graph, "holds a IndexHNSWFlat")


def test_arrays_of_objects_are_never_read(tmp_path):
    """Reading them would run code from the file."""
    folder = tmp_path / "gallery"
    filled("flat").save(folder)
    np.save(tmp_path / "evil.npy", np.array([{}], dtype=object), allow_pickle=True)
    rewrite(folder, "ids.npy", (tmp_path / "evil.npy").read_bytes())
    with pytest.raises(StorageError, match=r"ids\.npy is not an array file"):
        load_index(folder)


def test_numbers_that_do_not_fit_together_are_refused(tmp_path):
    folder = tmp_path / "gallery"
    filled("flat").save(folder)
    np.save(tmp_path / "few.npy", np.arange(3))
    rewrite(folder, "ids.npy", (tmp_path / "few.npy").read_bytes())
    with pytest.raises(StorageError, match="480 vectors are announced, but 3 ids"):
        load_index(folder)


def test_each_class_reads_its_own(tmp_path):
    filled("exact").save(tmp_path / "gallery")
    assert len(ExactIndex.load(tmp_path / "gallery")) == 480
    with pytest.raises(StorageError, match="holds a ExactIndex, not a FaissIndex"):
        FaissIndex.load(tmp_path / "gallery")


def test_a_lower_recall_visits_fewer_cells_and_is_kept(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(12_000, 24)).astype(np.float32)
    found = {}
    for wanted in (0.5, 0.99):
        index = make_index("ivf", 24, expected_size=12_000, wanted_recall=wanted)
        index.add(vectors)
        index.save(tmp_path / str(wanted))
        assert index.recall() >= wanted
        assert load_index(tmp_path / str(wanted)).recall() == index.recall()
        found[wanted] = index._store.visited
    assert found[0.5] < found[0.99]
    with pytest.raises(IndexStateError, match="wanted_recall"):
        make_index("ivf", 24, wanted_recall=0)
