"""Random lives of an index, each step compared with the oracle's."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ferembed.estimators import KNNClassifier
from ferembed.index import ExactIndex, FaissIndex, IndexStateError, faiss_index, ivf, load_index, make_index
from ferembed.index.base import KINDS
from ferembed.storage import StorageError

DIM = 12
LISTS_FROM = 300

seeds = st.integers(0, 2**32 - 1)
steps = st.lists(
    st.sampled_from(["add", "add many", "add one", "remove", "search", "search", "filter", "reload", "reconstruct"]),
    min_size=4,
    max_size=16,
)


@pytest.fixture(autouse=True)
def small_lists(monkeypatch):
    """Lists are learnt from few vectors, so that random lives cross the line."""
    monkeypatch.setattr(faiss_index, "LISTS_FROM", LISTS_FROM)


def faces(rng, n):
    """Clustered vectors, a few of them copies."""
    centres = np.random.default_rng(5).normal(size=(6, DIM))
    vectors = centres[rng.integers(0, 6, n)] + 0.5 * rng.normal(size=(n, DIM))
    if n > 3:
        vectors[-1] = vectors[0]
    return vectors


class Life:
    """The same changes to an index and to the oracle."""

    def __init__(self, kind, seed, folder):
        self.rng = np.random.default_rng(seed)
        self.index, self.oracle = make_index(kind, DIM), ExactIndex(DIM)
        self.folder = folder
        self.found = []
        self.step("add")

    def step(self, name):
        getattr(self, name.replace(" ", "_"))()
        assert len(self.index) == len(self.oracle)

    def both(self, name, *args, **kwargs):
        return [getattr(index, name)(*args, **kwargs) for index in (self.index, self.oracle)]

    def grow(self, n):
        free = np.setdiff1d(self.rng.integers(-(2**62), 2**62, n + 8), self.oracle.ids)
        ids = self.rng.permutation(free)[:n]
        self.both("add", faces(self.rng, n), ids=ids, labels=self.rng.integers(0, 5, n))

    def add(self):
        self.grow(int(self.rng.integers(1, 40)))

    def add_many(self):
        self.grow(int(self.rng.integers(200, 400)))

    def add_one(self):
        self.both("add", faces(self.rng, 1))

    def remove(self):
        ids = self.oracle.ids
        share = self.rng.choice([0.02, 0.3, 1.0], p=[0.5, 0.45, 0.05])
        self.both("remove", self.rng.permutation(ids)[: int(np.ceil(share * len(ids)))])

    def reload(self):
        self.index.save(self.folder / "index")
        self.index = load_index(self.folder / "index")

    def reconstruct(self):
        ids = self.rng.permutation(self.oracle.ids)[:20]
        got, want = self.both("reconstruct", ids)
        assert (got * want).sum(axis=1).min(initial=1) > 0.99999
        np.testing.assert_array_equal(*self.both("labels_of", ids))

    def tolerance(self):
        return 5e-4 if self.index.kind == "ivf" else 2e-6

    def filter(self):
        self.search(self.rng.choice(7, size=int(self.rng.integers(1, 4)), replace=False))

    def search(self, labels=None):
        queries, k = faces(self.rng, 5), int(self.rng.integers(1, 30))
        got, want = self.both("search", queries, k, filter=labels)
        # What holds for every kind: as many as there are, distinct, allowed, best first.
        np.testing.assert_array_equal(got.similarities > -np.inf, want.similarities > -np.inf)
        real = got.similarities > -np.inf
        for ids, some in zip(got.ids, real, strict=True):
            assert len(set(ids[some])) == some.sum()
            assert (ids[~some] == -1).all()
        padded = np.where(real, got.similarities, -9)
        assert (np.diff(padded, axis=1) <= 0).all()
        np.testing.assert_array_equal(got.labels[real], self.oracle.labels_of(got.ids[real]))
        units = queries / np.linalg.norm(queries, axis=1, keepdims=True)
        true = np.full(got.ids.shape, -np.inf)
        true[real] = (np.repeat(units, real.sum(axis=1), axis=0) * self.oracle.reconstruct(got.ids[real])).sum(axis=1)
        np.testing.assert_allclose(got.similarities[real], true[real], atol=self.tolerance())
        assert labels is None or np.isin(got.labels[real], labels).all()
        if real.any():
            # A copy of a neighbour is as good as the neighbour.
            last = want.similarities[:, real[0].sum() - 1, None]
            self.found.append((true >= last - self.tolerance())[real].mean())

    def end(self):
        self.step("search")
        self.step("reload")
        self.step("filter")
        np.testing.assert_array_equal(self.index.ids, self.oracle.ids)
        np.testing.assert_array_equal(self.index.labels, self.oracle.labels)


def lives(kind, least, examples):
    """Random lives in each of which so large a share of the neighbours found are true ones."""

    @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(seed=seeds, names=steps)
    def run(tmp_path_factory, seed, names):
        life = Life(kind, seed, tmp_path_factory.mktemp("life"))
        for name in names:
            life.step(name)
        life.end()
        assert np.mean(life.found or [1.0]) >= least

    return run


test_life_of_a_flat_index = lives("flat", 1.0, 25)
test_life_of_an_auto_index = lives("auto", 1.0, 10)
test_life_of_an_exact_index = lives("exact", 1.0, 5)
test_life_of_inverted_lists = lives("ivf", 0.6, 25)


@pytest.fixture
def contributed():
    """What the section of CONTRIBUTING.md on an index defines."""
    text = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = re.split(r"^## ", text.split("## An index\n")[1], flags=re.MULTILINE)[0]
    names = {}
    exec("\n".join(re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)), names)
    yield names
    del KINDS["tree"]


test_life_of_the_index_in_contributing = pytest.mark.usefixtures("contributed")(lives("tree", 1.0, 15))


def test_a_kind_of_ones_own_serves_a_classifier(contributed, tmp_path):
    rng = np.random.default_rng(0)
    X, y = np.vstack([faces(rng, 200), np.zeros((1, DIM))]), np.arange(201) % 3
    expected = KNNClassifier(5, index="exact").fit(X, y).forget(1).predict_proba(X[:200])
    for index in ("tree", make_index("tree", DIM)):
        knn = KNNClassifier(5, index=index).fit(X, y).forget(1)
        assert knn.index_.kind == "tree"
        knn.save(tmp_path / "knn")
        again = KNNClassifier.load(tmp_path / "knn")
        assert again.index_.kind == "tree"
        for one in (knn, again):
            np.testing.assert_allclose(one.predict_proba(X[:200]), expected, atol=1e-6)
    assert contributed["index"].search(np.ones((1, 8)), 4, filter=[1]).labels.tolist() == [[1, 1, 1, 1]]
    # In a process that does not know the kind:
    del KINDS["tree"]
    with pytest.raises(StorageError, match="unknown index 'TreeIndex' of kind 'tree'.*Import the module"):
        load_index(tmp_path / "knn" / "index")
    with pytest.raises(IndexStateError, match="kind must be one of auto, exact, flat, ivf, not 'tree'"):
        make_index("tree")
    KINDS["tree"] = contributed["TreeIndex"]


def clustered(n, dim, seed):
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(1).normal(size=(40, dim))
    return (centres[rng.integers(0, 40, n)] + 0.6 * rng.normal(size=(n, dim))).astype(np.float32)


def recall_at_10(index, oracle, queries, labels=None):
    got, want = (i.search(queries, 10, filter=labels).ids for i in (index, oracle))
    return np.mean([np.isin(w, g).mean() for g, w in zip(got, want, strict=True)])


@pytest.mark.parametrize(("kind", "least"), [("flat", 0.9999), ("ivf", 0.97)])
def test_recall_is_as_stated_through_removal_and_growth(kind, least):
    index, oracle = make_index(kind, 32), ExactIndex(32)
    vectors, queries = clustered(12_000, 32, seed=2), clustered(200, 32, seed=3)
    for one in (index, oracle):
        one.add(vectors[:9000], labels=np.arange(9000) % 20)
        one.remove(np.arange(0, 9000, 7))
        one.add(vectors[9000:], labels=np.arange(3000) % 20)
    assert recall_at_10(index, oracle, queries) >= least
    assert recall_at_10(index, oracle, queries, labels=[3, 4]) >= least
    assert recall_at_10(index, oracle, queries, labels=list(range(19))) >= least
    assert least <= index.recall() <= 1


@pytest.mark.parametrize("kind", ["exact", "flat", "ivf"])
def test_recall_of_queries_is_theirs_and_not_the_gallerys(kind, monkeypatch):
    monkeypatch.setattr(ivf, "_CHUNK", 1000)
    index, oracle = make_index(kind, 32), ExactIndex(32)
    for one in (index, oracle):
        one.add(clustered(4000, 32, seed=2))
        one.remove(np.arange(0, 4000, 9))
    alike, unlike = clustered(200, 32, seed=3), np.random.default_rng(4).normal(size=(200, 32))
    for queries in (alike, unlike):
        # Half-precision lists may swap what is all but equally near.
        assert index.recall(queries) == pytest.approx(recall_at_10(index, oracle, queries), abs=2e-3)
    if kind == "ivf":
        assert index.recall(unlike) < index.recall() - 0.02
    assert index.recall(np.empty((0, 32))) == 1
    with pytest.raises(IndexStateError, match=r"queries must have shape \(n, 32\)"):
        index.recall(np.zeros((3, 5)))


def test_auto_is_exact_until_the_gallery_is_large(monkeypatch):
    monkeypatch.setattr(faiss_index, "FLAT_UP_TO", 1000)
    index = make_index("auto", 16)
    vectors = clustered(1500, 16, seed=4)
    index.add(vectors[:1000])
    assert (index.kind, index.recall()) == ("flat", 1.0)
    index.add(vectors[1000:])
    assert index.kind == "ivf"
    assert index.recall() >= 0.98
    found = index.search(vectors, k=1)
    assert (found.ids[:, 0] == np.arange(1500)).mean() > 0.99
    np.testing.assert_allclose(index.reconstruct([1234]), vectors[1234:1235] / np.linalg.norm(vectors[1234]), atol=5e-4)


def test_an_announced_size_is_prepared_for(monkeypatch):
    monkeypatch.setattr(faiss_index, "FLAT_UP_TO", 1000)
    index = FaissIndex(16, expected_size=4000)
    index.add(clustered(4000, 16, seed=4))
    assert index.kind == "ivf"
    assert FaissIndex(16, expected_size=999).kind == "flat"


def test_cells_are_learnt_again_when_the_gallery_has_grown():
    index = make_index("ivf", 16)
    vectors = clustered(3000, 16, seed=6)
    index.add(vectors[:LISTS_FROM])
    few = index._store._lists.nlist
    index.remove(np.arange(50))
    index.add(vectors[LISTS_FROM:])
    assert index._store._lists.nlist > few
    assert index.ids.tolist() == list(range(50, 3000))
    assert (index.search(vectors[50:], k=1).ids[:, 0] == np.arange(50, 3000)).mean() > 0.97


def test_finds_as_many_as_there_are():
    """More neighbours than a few cells hold: far ones are fetched rather than left out."""
    index = make_index("ivf", 16)
    index.add(clustered(1000, 16, seed=7), labels=np.arange(1000) % 3)
    index.remove(np.arange(100))
    assert index.reconstruct([]).shape == (0, 16)
    queries = clustered(4, 16, seed=8)
    assert (np.sort(index.search(queries, 900).ids, axis=1) == np.arange(100, 1000)).all()
    assert (index.search(queries, 250, filter=[1]).ids >= 0).all()


@pytest.mark.parametrize("kind", ["flat", "ivf"])
def test_a_query_without_direction_finds_something(kind):
    index = make_index(kind, 16)
    index.add(clustered(2000, 16, seed=6))
    found = index.search(np.zeros((1, 16)), k=5)
    assert (found.similarities == 0).all()
    assert len(set(found.ids[0].tolist())) == 5


def test_a_kind_belongs_to_one_class():
    with pytest.raises(IndexStateError, match=r"the kind 'flat' is ferembed\.index\.faiss_index\.FaissIndex already"):

        class Mine(ExactIndex):
            kinds = ("flat",)

    assert type(make_index("flat", DIM)) is FaissIndex
