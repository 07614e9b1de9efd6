"""The search for copies among very many pictures: three blocks of it, killed after the first, on made-up photos.

The pictures are means of two photos each, about as much alike as photos are; some of those that the blocks hold are
changed copies of others. They stay in a mapped file, so that the process's own memory is what the search takes.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

import ferembed as fe
from ferembed.auditing.copies.candidates import CLOSEST, Candidates, best_of_each_pair
from ferembed.auditing.copies.find import _BLOCK, _confirmed, _laid_over, find_copies
from ferembed.auditing.stages import Stages

BLOCKS = 3
COPIES = 500

Pixels = NDArray[np.uint8]
Change = Callable[[Pixels, np.random.Generator], Pixels]


def measure(data: str, folder: Path, size: int, change: Change) -> dict[str, Any]:
    """Time, memory and recall of some blocks of the search among ``size`` pictures, killed after the first of them."""
    rng = np.random.default_rng(0)
    file = folder / f"composites-{size}.npy"
    made = write_pictures(file, np.asarray(fe.load_fer2013(data).without_blank().images), size, change, rng)
    parts = [folder / f"search-{size}" / f"candidates-{block}.safetensors" for block in range(BLOCKS)]
    first = _until_killed(file, parts[:1])
    written = parts[0].stat().st_mtime_ns
    second = _until_killed(file, parts[1:])
    assert parts[0].stat().st_mtime_ns == written, "the block that was done when the search was killed was done again"
    found = best_of_each_pair([Candidates(**load_file(part)) for part in parts])
    started = time.process_time()
    laid = _laid_over(_faces(file), found)
    aligned = time.process_time() - started
    pairs = _confirmed(laid)["pairs"]
    inserted = set(map(tuple, np.sort(made, axis=1).tolist()))
    confirmed = set(map(tuple, np.sort(pairs, axis=1).tolist()))
    compared = np.bincount(found.pairs[:, 0], minlength=BLOCKS * _BLOCK)[: BLOCKS * _BLOCK]
    searched = BLOCKS * _BLOCK
    return {
        "images": size,
        "index_cpu_s": round(2 * second.cpu[0] - second.cpu[1]),
        "search_cpu_ms_an_image": round((second.cpu[1] - second.cpu[0]) * 1000 / _BLOCK, 2),
        "alignment_cpu_ms_an_image": round(aligned * 1000 / searched, 2),
        "pairs_aligned_an_image": round(len(found.pairs) / searched, 1),
        "at_the_most": round(float((compared >= CLOSEST).mean()), 3),
        "copies_found": round(len(inserted & confirmed) / COPIES, 3),
        "other_pairs": len(confirmed - inserted),
        "own_memory_MB": round(max(first.memory, second.memory)),
    }


def write_pictures(
    file: Path, photos: Pixels, size: int, change: Change, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Composites, of which some are changed copies of others; both rows of each copy, shape (COPIES, 2)."""
    pictures = np.lib.format.open_memmap(file, "w+", np.uint8, (size, 48, 48))
    for start in range(0, size, _BLOCK):
        stop = min(start + _BLOCK, size)
        pictures[start:stop] = composites(photos, stop - start, rng)
    pairs = rng.choice(BLOCKS * _BLOCK, (COPIES, 2), replace=False)
    for original, copy in pairs.tolist():
        pictures[copy] = change(np.array(pictures[original]), rng)
    pictures.flush()
    return pairs


def composites(photos: Pixels, n: int, rng: np.random.Generator) -> Pixels:
    """Means of two photos each, mirrored or not, as bright and as rich in contrast as the first."""
    one, other = photos[rng.integers(0, len(photos), (2, n))].astype(np.float32)
    one, other = (np.where(rng.random((n, 1, 1)) < 0.5, part, part[:, :, ::-1]) for part in (one, other))
    mean = one + other

    def level(pictures: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return pictures.mean(axis=(1, 2), keepdims=True), pictures.std(axis=(1, 2), keepdims=True) + 1

    (middle, spread), (wanted, contrast) = level(mean), level(one)
    return np.asarray(((mean - middle) / spread * contrast + wanted).clip(0, 255).astype(np.uint8))


def _faces(file: Path) -> fe.FaceDataset:
    pictures = np.load(file, mmap_mode="r")
    return fe.FaceDataset(pictures, np.zeros(len(pictures), np.int64), ("face",))


def _search(file: Path, folder: Path) -> None:
    find_copies(_faces(file), Stages(folder, file.name))


class Spent(NamedTuple):
    """The most memory of its own that a process had, in MB, and its CPU seconds when each block was done."""

    memory: float
    cpu: list[float]


def _until_killed(file: Path, awaited: list[Path]) -> Spent:
    """Search in a process until the awaited blocks are on disk, then kill it."""
    process = multiprocessing.get_context("spawn").Process(target=_search, args=(file, awaited[0].parent))
    process.start()
    memory, cpu = 0.0, []
    while len(cpu) < len(awaited):
        memory = max(memory, _own_memory(process))
        if awaited[len(cpu)].is_file():
            cpu.append(_cpu(process))
        time.sleep(0.2)
    process.kill()
    process.join()
    return Spent(memory, cpu)


def _own_memory(process: SpawnProcess) -> float:
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon")), 0.0)


def _cpu(process: SpawnProcess) -> float:
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
