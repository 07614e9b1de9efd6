"""Search speed, recall and memory, side by side in one process.

    python benchmarks/search.py [--embeddings small data/fer2013.csv] [--out benchmarks/results]

Gallery of 28,709 vectors: ``KNNClassifier.predict_proba`` against scikit-learn's ``KNeighborsClassifier`` with each
algorithm and ``n_jobs``; the best of those counts. Gallery of a million: ``make_index("auto")`` against exact search.
The vectors are drawn, so that no data set is needed; ``--embeddings`` adds those of a trained recogniser: its gallery
of training faces, asked about PublicTest.

What is compared takes turns, and of several rounds the shortest counts, query by query: another process that takes the
processor for a while then slows neither side in the figures.
"""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import json
import multiprocessing
import os
import platform
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from galleries import DIM, SEED, Labels, Vectors, clustered, diffuse, drawn, embedded, trained
from machine import processor
from sklearn.neighbors import KNeighborsClassifier

from ferembed.estimators import KNNClassifier
from ferembed.index import make_index
from ferembed.storage import write_json, write_text

K = 30


def seconds(call: Callable[[], Any], repeats: int = 3) -> float:
    """The shortest of several runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def ms_each(calls: dict[str, Callable[[Vectors], Any]], queries: Vectors, rounds: int = 5) -> dict[str, float]:
    """Median over the queries of the shortest time of a call with one of them, in milliseconds."""
    shortest = {name: np.full(len(queries), np.inf) for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            call(queries[:1])
            times = [seconds(partial(call, queries[i : i + 1]), 1) for i in range(len(queries))]
            shortest[name] = np.minimum(shortest[name], times)
    return {name: 1e3 * float(np.median(times)) for name, times in shortest.items()}


def ms_all(calls: dict[str, Callable[[Vectors], Any]], queries: Vectors, rounds: int = 3) -> dict[str, float]:
    """The shortest time of a call with all queries, in milliseconds; those over five seconds are made once."""
    shortest = {name: seconds(partial(call, queries), 1) for name, call in calls.items()}
    for _ in range(rounds - 1):
        for name, call in calls.items():
            if shortest[name] < 5:
                shortest[name] = min(shortest[name], seconds(partial(call, queries), 1))
    return {name: 1e3 * time for name, time in shortest.items()}


def against_scikit_learn(name: str, gallery: Vectors, labels: Labels, queries: Vectors) -> dict[str, Any]:
    ours = KNNClassifier(K, weights="uniform", smoothing=0.0).fit(gallery, labels)
    answers = ours.predict_proba(queries)
    calls: dict[str, Callable[[Vectors], Any]] = {"ferembed": ours.predict_proba}
    gaps = []
    for algorithm in ("brute", "kd_tree", "ball_tree"):
        for jobs in (None, -1):
            theirs = KNeighborsClassifier(K, algorithm=algorithm, n_jobs=jobs).fit(gallery, labels)
            gaps.append(np.abs(theirs.predict_proba(queries) - answers).max(axis=1))
            calls[f"{algorithm}, n_jobs={jobs}"] = theirs.predict_proba
    one, every = ms_each(calls, queries[:200]), ms_all(calls, queries)
    settings = {name: {"one_ms": one[name], "all_ms": every[name]} for name in calls}
    mine = settings.pop("ferembed")
    best = {key: min(times[key] for times in settings.values()) for key in ("one_ms", "all_ms")}
    return {
        "gallery": name,
        "n": len(gallery),
        "queries": len(queries),
        "ferembed": mine,
        "scikit_learn": settings,
        "scikit_learn_best": best,
        "ratio_one": best["one_ms"] / mine["one_ms"],
        "ratio_all": best["all_ms"] / mine["all_ms"],
        "equal_answers": float(np.mean(np.max(gaps, axis=0) < 1e-6)),
    }


def large_gallery(n: int, q: int) -> dict[str, Any]:
    index = make_index("auto", DIM, expected_size=n)
    knn = KNNClassifier(K, index=index)
    flat = make_index("flat", DIM)
    rng = np.random.default_rng(SEED)
    building = 0.0
    for chunk in clustered(n, rng):
        flat.add(chunk)
        building += seconds(partial(knn.partial_fit, chunk, np.arange(len(chunk)) % 7), 1)
    index = knn.index_
    queries, unlike = next(clustered(q, rng)), diffuse(256, rng)[0]
    truth, found = flat.search(queries, 10).ids, index.search(queries, 10).ids
    calls = {name: partial(one.search, k=10) for name, one in {"flat": flat, "auto": index}.items()}
    one, every = ms_each(calls, queries[:100]), ms_all(calls, queries)
    return {
        "n": n,
        "queries": q,
        "structure": index.kind,
        "build_s": building,
        "flat_queries_per_s": 1e3 * q / every["flat"],
        "auto_queries_per_s": 1e3 * q / every["auto"],
        "ratio": every["flat"] / every["auto"],
        "flat_one_ms": one["flat"],
        "auto_one_ms": one["auto"],
        "recall_at_10": float(np.mean([np.isin(t, f).mean() for t, f in zip(truth, found, strict=True)])),
        "stated_recall": index.recall(),
        "recall_unlike_the_gallery": index.recall(unlike),
        "classifier_adds_one": add_one(lambda vector: knn.partial_fit(vector, [3])),
        "index_adds_one": add_one(index.add),
        "flat_removal_in_searches": remove_one_ms(flat) / one["flat"],
    }


def add_one(add: Callable[[Vectors], Any]) -> dict[str, float]:
    vectors = next(clustered(1000, np.random.default_rng(SEED + 1)))
    times = [1e3 * seconds(partial(add, vectors[i : i + 1]), 1) for i in range(len(vectors))]
    return {
        "median_ms": float(np.median(times)),
        "99_percent_ms": float(np.quantile(times, 0.99)),
        "longest_ms": max(times),
    }


def remove_one_ms(index: Any) -> float:
    """Median time to take out one vector, from anywhere between the first and the last."""
    return 1e3 * float(np.median([seconds(partial(index.remove, [i]), 1) for i in index.ids[:: len(index) // 20]]))


def added(times: dict[str, float]) -> str:
    return (
        f"{times['median_ms']:.3f} ms (median), {times['99_percent_ms']:.3f} ms (99 in 100 below), "
        f"{times['longest_ms']:.3f} ms (longest)"
    )


def resident() -> int:
    """Bytes of this process in memory (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def memory(kind: str, n: int, pipe: Any) -> None:
    warm = make_index("ivf", DIM)
    warm.add(next(clustered(12_000, np.random.default_rng(SEED))))  # libraries take their own memory once
    warm.search(np.ones((300, DIM)), 1)
    del warm
    gc.collect()
    index = make_index(kind, DIM, expected_size=n)
    before = resident()
    for chunk in clustered(n, np.random.default_rng(SEED)):
        index.add(chunk)
    del chunk
    gc.collect()
    pipe.send((resident() - before) / (n * DIM * 4))


def memory_ratio(kind: str, n: int) -> float:
    """Growth of a fresh process's memory over the size of the vectors."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=memory, args=(kind, n, sender))
    process.start()
    ratio: float = receiver.recv()
    process.join()
    return ratio


def table(result: dict[str, Any]) -> str:
    lines = [
        "# Search",
        "",
        f"`{result['command']}`, {result['cpus']} cores ({result['processor']}), {result['versions']['python']}, "
        + ", ".join(f"{name} {version}" for name, version in result["versions"].items() if name != "python")
        + f", seed {SEED}. Load of the machine before: {result['load']:.1f}; times to keep need a quiet machine.",
        "",
        f"`predict_proba`, k = {K}, uniform votes, {DIM} numbers a vector; scikit-learn at each column's best setting.",
        "",
        "| gallery | | one query, ms | all queries, ms | rows with equal answers |",
        "|---|---|---|---|---|",
    ]
    for row in result["classifier"]:
        name = f"{row['gallery']}, {row['n']:,} ({row['queries']:,} queries)"
        best, mine = row["scikit_learn_best"], row["ferembed"]
        lines += [
            f"| {name} | scikit-learn | {best['one_ms']:.3f} | {best['all_ms']:.0f} | |",
            f"| | ferembed | {mine['one_ms']:.3f} | {mine['all_ms']:.0f} | {row['equal_answers']:.2%} |",
            f"| | ratio | {row['ratio_one']:.1f} | {row['ratio_all']:.1f} | |",
        ]
    large = result["large"]
    lines += [
        "",
        f"{large['n']:,} clustered vectors, ten neighbours, {large['queries']:,} queries in one call.",
        "",
        "| | queries a second | one query, ms | recall@10 |",
        "|---|---|---|---|",
        f"| flat | {large['flat_queries_per_s']:.0f} | {large['flat_one_ms']:.3f} | 1 |",
        f"| auto ({large['structure']}) | {large['auto_queries_per_s']:.0f} | {large['auto_one_ms']:.3f} "
        f"| {large['recall_at_10']:.4f} (stated: {large['stated_recall']:.4f}) |",
        f"| ratio | {large['ratio']:.1f} | {large['flat_one_ms'] / large['auto_one_ms']:.1f} | |",
        "",
        f"Built in {large['build_s']:.0f} s. Adding one vector to it by `KNNClassifier.partial_fit`: "
        f"{added(large['classifier_adds_one'])}; by `Index.add`: {added(large['index_adds_one'])}.",
        "",
        f"Of queries unlike the gallery it finds {large['recall_unlike_the_gallery']:.4f} of the ten nearest, as "
        "`index.recall(queries)` says; what is stated without queries is measured on the gallery's own vectors. Taking "
        f"one vector out of the flat gallery takes {large['flat_removal_in_searches']:.2f} times as long as a search.",
        "",
        "Memory over that of the vectors: "
        + ", ".join(f"{kind} {ratio:.2f}" for kind, ratio in result["memory_ratio"].items())
        + ".",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=Path("benchmarks/results"), help="folder for search.json and search.md"
    )
    parser.add_argument(
        "--embeddings", nargs=2, metavar=("RUN", "FACES"), help="also those of a recogniser of FER2013, and its csv"
    )
    parser.add_argument("--quick", action="store_true", help="small galleries, to see that the benchmark runs")
    options = parser.parse_args()
    n, q, large, large_q = (5_000, 500, 60_000, 500) if options.quick else (28_709, 3_589, 1_000_000, 2_000)
    threads = os.environ.get("OMP_NUM_THREADS")
    result: dict[str, Any] = {
        "command": (f"OMP_NUM_THREADS={threads} " if threads else "")
        + "python benchmarks/search.py"
        + (f" --embeddings {options.embeddings[0]} {options.embeddings[1]}" if options.embeddings else "")
        + (" --quick" if options.quick else ""),
        "cpus": len(os.sched_getaffinity(0)),
        "processor": processor(),
        "load": os.getloadavg()[0],
        "seed": SEED,
        "versions": {
            "python": f"Python {platform.python_version()}",
            **{name: importlib.metadata.version(name) for name in ("ferembed", "faiss-cpu", "numpy", "scikit-learn")},
        },
    }
    result["memory_ratio"] = {kind: memory_ratio(kind, large) for kind in ("auto", "flat")}
    print(json.dumps(result["memory_ratio"]), flush=True)
    result["classifier"] = []
    galleries = [embedded(*options.embeddings)] if options.embeddings else []
    for gallery in [*galleries, drawn(trained, n, q), drawn(diffuse, n, q)]:
        result["classifier"].append(against_scikit_learn(*gallery))
        print(json.dumps(result["classifier"][-1], indent=1), flush=True)
    result["large"] = large_gallery(large, large_q)
    write_json(options.out / "search.json", result)
    write_text(options.out / "search.md", table(result))
    print(table(result))


if __name__ == "__main__":
    main()
