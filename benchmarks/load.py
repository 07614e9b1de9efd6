"""What the library costs beside bare PyTorch: python benchmarks/load.py data/fer2013.csv.

* To start: ``import ferembed; ferembed.load()`` against ``import torch``, each timed inside fresh processes, taken in
  turn; the start of the interpreter is left out. One process of each goes before, untimed, to fill the disk's cache.
  The network and the voters are made when they are first asked, so the time to the first answer stands beside it.
* To answer: images a second of ``Recognizer.predict_proba``, which scales, encodes and votes, against the same network
  called on ready float tensors in batches of the same size; taken in turn in one process after an untimed round.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from machine import describe
from numpy.typing import NDArray

import ferembed as fe
from ferembed.recognizer import encoding
from ferembed.recognizer.inputs import prepare_images
from ferembed.storage import write_json, write_text

STATEMENTS = {
    "torch": "import torch",
    "ferembed": "import ferembed; ferembed.load()",
    "first answer": "import numpy, ferembed; ferembed.load().predict(numpy.zeros((48, 48), numpy.uint8))",
}
TARGET = 1.5
"""How many times as long as PyTorch's own start the library's may take."""


def seconds_in_fresh_process(statement: str) -> float:
    code = f"import time; start = time.perf_counter(); {statement}; print(time.perf_counter() - start)"
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return float(answer.stdout)


def starting(rounds: int) -> dict[str, Any]:
    times: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for turn in range(rounds + 1):
        for name, statement in STATEMENTS.items():
            seconds = seconds_in_fresh_process(statement)
            if turn:
                times[name].append(seconds)
    medians = {name: median(each) for name, each in times.items()}
    ratios = {name: seconds / medians["torch"] for name, seconds in medians.items()}
    return {"seconds": times, "median_s": medians, "ratios": ratios, "target": TARGET}


@torch.inference_mode()
def eager(encoder: fe.Encoder, batches: list[torch.Tensor]) -> None:
    for batch in batches:
        encoder(batch)


def answering(recognizer: fe.Recognizer, images: NDArray[np.uint8], rounds: int) -> dict[str, Any]:
    encoder, size = recognizer.encoder, encoding._BATCH
    ready = torch.from_numpy(prepare_images(images, size=encoder.image_size, channels=encoder.channels))
    batches = [batch.clone() for batch in ready.split(size)]
    work: dict[str, Callable[[], Any]] = {
        "torch": lambda: eager(encoder, batches),
        "ferembed": lambda: recognizer.predict_proba(images),
    }
    times: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(rounds + 1):
        for name, call in work.items():
            start = time.perf_counter()
            call()
            if turn:
                times[name].append(time.perf_counter() - start)
    rates = {name: len(images) / median(each) for name, each in times.items()}
    return {
        "images": len(images),
        "batch_size": size,
        "seconds": times,
        "images_per_second": rates,
        "ratio": rates["ferembed"] / rates["torch"],
    }


def table(result: dict[str, Any]) -> str:
    machine, start, answer = result["machine"], result["starting"], result["answering"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    seconds, rates = start["median_s"], answer["images_per_second"]
    return f"""# Load

`{machine["command"]}`, {machine["cpus"]} cores ({machine["processor"]}), torch threads: {machine["torch_threads"]}, \
{versions}. Load of the machine before: {machine["load"]:.1f}; a quiet machine is needed for figures to keep.

| medians of {result["rounds"]} | PyTorch | ferembed | ratio |
|---|---|---|---|
| start (`import torch`; `import ferembed; ferembed.load()`), s | {seconds["torch"]:.2f} | {seconds["ferembed"]:.2f} \
| {start["ratios"]["ferembed"]:.2f} (target: at most {start["target"]}) |
| start to the first answer, s | {seconds["torch"]:.2f} | {seconds["first answer"]:.2f} \
| {start["ratios"]["first answer"]:.2f} |
| images a second (the network alone; `predict_proba`) | {rates["torch"]:.1f} | {rates["ferembed"]:.1f} \
| {answer["ratio"]:.2f} |

{answer["images"]:,} images of 48 x 48 in batches of {answer["batch_size"]}.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", default=Path("data/fer2013.csv"), help="FER2013")
    parser.add_argument("--images", type=int, help="so many validation images; all by default")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is timed")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder for load.json and load.md")
    options = parser.parse_args()
    images = np.array(fe.load_dataset(options.data).split("validation").images[: options.images])
    result = {
        "machine": describe() | {"torch_threads": torch.get_num_threads(), "load": os.getloadavg()[0]},
        "rounds": options.rounds,
        "starting": starting(options.rounds),
        "answering": answering(fe.load(), images, options.rounds),
    }
    write_json(options.out / "load.json", result)
    write_text(options.out / "load.md", table(result))
    print(table(result))


if __name__ == "__main__":
    main()
