"""Searches beside changes, and beside a fork."""

import os
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

from ferembed.index import faiss_index, make_index
from ferembed.index.lock import ReadWriteLock

DIM = 16
pytestmark = pytest.mark.processes


@pytest.mark.parametrize("kind", ["exact", "flat", "ivf"])
def test_eight_readers_beside_a_writer(kind, monkeypatch):
    """Every search must see a whole gallery: labels are ids modulo 10, and -1 only where nothing is left."""
    monkeypatch.setattr(faiss_index, "LISTS_FROM", 600)
    rng = np.random.default_rng(0)
    index = make_index(kind, DIM)
    index.add(rng.normal(size=(500, DIM)), ids=np.arange(500), labels=np.arange(500) % 10)
    stop, faults, searches = threading.Event(), [], []

    def read(seed):
        queries = np.random.default_rng(seed).normal(size=(3, DIM))
        while not stop.is_set():
            try:
                found = index.search(queries, k=7, filter=None if seed % 2 else [1, 2, 3])
                ids, labels = found.ids, found.labels
                if (ids < 0).any() or (labels != ids % 10).any() or not np.isfinite(found.similarities).all():
                    faults.append((ids, labels))
                searches.append(seed)
            except BaseException as error:  # a reader's thread has nobody to raise to
                faults.append(error)
                return

    readers = [threading.Thread(target=read, args=(seed,)) for seed in range(8)]
    for reader in readers:
        reader.start()
    next_id = 500
    while not faults and (next_id < 3000 or min(map(searches.count, range(8))) < 20):
        ids = np.arange(next_id, next_id + 40)
        index.add(rng.normal(size=(40, DIM)), ids=ids, labels=ids % 10)
        next_id += 40
        if len(index) > 900:
            index.remove(rng.permutation(index.ids)[:400])
    stop.set()
    for reader in readers:
        reader.join()
    assert not faults, faults[0]


def run(code):
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a fork")
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("kind", "rows", "dim"),
    [("exact", 1500, 1024), ("flat", 12_000, 64), ("ivf", 12_000, 64)],
    ids=["exact", "flat", "ivf"],
)
def test_a_child_forked_amid_searches_of_other_threads_can_search_and_add(kind, rows, dim):
    """Parent and child are ended by the system's alarm should one of them wait for a lock that nobody holds."""
    lines = run(f"""
        import os, signal, threading
        import numpy as np
        from ferembed.index import make_index
        signal.alarm(120)
        rng = np.random.default_rng(0)
        index = make_index({kind!r}, {dim})
        index.add(rng.normal(size=({rows}, {dim})))
        queries = rng.normal(size=(300, {dim}))
        truth = index.search(queries, 5).ids
        going = threading.Event()
        def search(count):
            while not going.is_set():
                index.search(queries[:count], 5)
        threads = [threading.Thread(target=search, args=(count,)) for count in (1, 300, 300)]
        for thread in threads:
            thread.start()
        for _ in range(4):
            child = os.fork()
            if child == 0:
                signal.alarm(60)
                many, one = index.search(queries, 5).ids, index.search(queries[:1], 5).ids
                same = (many == truth).all() and (one == truth[:1]).all()
                index.add(queries)
                index.remove([3])
                os._exit(0 if same and len(index) == {rows} + 299 else 1)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        going.set()
        for thread in threads:
            thread.join()
    """)
    assert lines == ["0"] * 4


CALLS = """
import numpy as np
from ferembed.index import make_index
rng = np.random.default_rng(0)
for kind in ("auto", "exact", "flat", "ivf"):
    index = make_index(kind, 64)
    index.add(rng.normal(size=(3000, 64)))
    for count in (1, 1000):
        index.search(rng.normal(size=(count, 64)), 5)
    index.reconstruct(np.arange(2000))
    index.remove([3])
    index.recall()
    if "torch" in globals():
        print(torch.get_num_threads())
"""
COUNT = "import torch; print(torch.get_num_threads())"


@pytest.mark.parametrize("order", ["torch, faiss", "faiss, torch"])
def test_no_call_takes_threads_from_torch(order):
    """In whichever order the two are loaded: they may share one OpenMP."""
    assert run(f"import {order}\ntorch.set_num_threads(3)\n{CALLS}") == ["3"] * 4


def test_no_call_takes_threads_from_a_torch_that_is_loaded_later():
    assert run(CALLS + COUNT) == run(COUNT)


def test_importing_the_index_loads_neither_faiss_nor_torch():
    assert run("""
        import sys
        import ferembed.index
        ferembed.index.make_index("exact", 2)
        print(sorted({"faiss", "torch"} & set(sys.modules)))
        ferembed.index.FaissIndex
        print("faiss" in sys.modules, "torch" in sys.modules)
    """) == ["[]", "True", "False"]


def wait_until(condition):
    while not condition():
        time.sleep(0.001)


def test_readers_share_and_a_waiting_writer_goes_first():
    lock, order = ReadWriteLock(), []

    def write():
        with lock.write():
            order.append("write")

    def read():
        with lock.read():
            order.append("read")

    with lock.read():
        both = threading.Thread(target=lock._begin_read)
        both.start()
        both.join()
        writer = threading.Thread(target=write)
        writer.start()
        wait_until(lambda: lock._writers_waiting == 1)
        reader = threading.Thread(target=read)
        reader.start()
        wait_until(lambda: len(lock._changed._waiters) == 2)
        assert order == []
        lock._end_read()
    for thread in (writer, reader):
        thread.join()
    assert order == ["write", "read"]
