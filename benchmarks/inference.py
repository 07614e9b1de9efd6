"""What an answer costs, by engine: ``python benchmarks/inference.py data/fer2013.csv``.

* Start: from the start of a process to the answer about the shipped portrait, beside a process that imports NumPy,
  scikit-learn, FAISS, Pillow and ONNX Runtime and ends. The two take turns; the median of the ratios is kept.
* Throughput: faces a second through the encoder that ships, by PyTorch as it is (float32, without compilation), by
  ONNX Runtime in floats, and by its 8-bit network, which is made here of training faces; the engines take turns.
* Agreement: embeddings and accuracies of each engine on PublicTest.
* The package fer stands beside it where it is installed, or by ``--fer PYTHON`` where that interpreter has it.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from machine import describe

import ferembed as fe
from ferembed.models.engines import Engine, engine_for
from ferembed.probability import most_probable
from ferembed.runs.exporting import add_int8
from ferembed.storage import write_json, write_text

ENGINES = {"torch": "PyTorch, float32", "onnx": "ONNX Runtime, float32", "int8": "ONNX Runtime, 8 bits"}
BATCHES = (1, 16, 64, 256)
IMPORTS = "import numpy, sklearn, faiss, PIL, onnxruntime"
FER = """
import sys, cv2
from fer.fer import FER
print(FER().detect_emotions(cv2.imread(sys.argv[1])))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="fer2013.csv")
    parser.add_argument("--rounds", type=int, default=7)
    here = sys.executable if find_spec("fer") else None
    parser.add_argument("--fer", metavar="PYTHON", default=here, help="an interpreter that has the package fer")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    arguments = parser.parse_args()
    faces = fe.load_dataset(arguments.data)
    validation = faces.split("validation").without_blank()
    recognizer = fe.load(engine="onnx")
    add_int8(recognizer, faces.split("train"), validation)
    engines = {name: engine_for(recognizer.engine.files, name) for name in ENGINES}
    machine = describe()
    if arguments.fer:
        machine["command"] = machine["command"].replace(arguments.fer, "PYTHON")
    machine["versions"] |= {name: importlib.metadata.version(name) for name in ("onnxruntime", "dlib-bin")}
    record = {
        "machine": machine,
        "start": start(arguments.rounds, arguments.fer),
        "throughput": throughput(engines, validation, arguments.rounds),
        "agreement": agreement(recognizer, engines, validation),
    }
    write_json(arguments.out / "inference.json", record)
    write_text(arguments.out / "inference.md", document(record))
    print(document(record))


def start(rounds: int, fer: str | None) -> dict[str, Any]:
    """Seconds of whole processes, and how many times the mere imports they take."""
    portrait = str(files("ferembed.cli") / "portrait.jpg")
    ask = [str(Path(sys.executable).with_name("ferembed")), "predict", portrait]
    commands = {"imports": [sys.executable, "-c", IMPORTS], "onnx": ask, "torch": [*ask, "--engine", "torch"]}
    if fer:
        commands["fer"] = [fer, "-c", FER, portrait]
    measured = [{name: _seconds(command) for name, command in commands.items()} for _ in range(rounds + 1)][1:]
    return {
        name: {
            "seconds": median(each[name] for each in measured),
            "over_imports": median(each[name] / each["imports"] for each in measured),
        }
        for name in commands
    }


def _seconds(command: list[str]) -> float:
    # Modules that were compiled once are not compiled again, as on any machine where the library is installed.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    begin = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


def throughput(engines: dict[str, Engine], faces: fe.FaceDataset, rounds: int) -> dict[str, Any]:
    """Milliseconds a face by batch and engine, and the median of the ratios to PyTorch in the same round."""
    pixels = faces.images[: max(BATCHES)].astype(np.float32)[:, None] / 255
    found: dict[str, Any] = {}
    for batch in BATCHES:
        repeats = max(1, 64 // batch)

        def work(engine: Engine, batch: int = batch, repeats: int = repeats) -> None:
            for _ in range(repeats):
                engine.embed(pixels[:batch])

        measured = [{name: _timed(work, engine) for name, engine in engines.items()} for _ in range(rounds + 1)][1:]
        found[str(batch)] = {
            name: {
                "ms_a_face": 1000 * median(each[name] for each in measured) / (repeats * batch),
                "times_torch": median(each["torch"] / each[name] for each in measured),
            }
            for name in engines
        }
    return found


def _timed(work: Callable[[Engine], None], engine: Engine) -> float:
    begin = time.perf_counter()
    work(engine)
    return time.perf_counter() - begin


def agreement(recognizer: fe.Recognizer, engines: dict[str, Engine], faces: fe.FaceDataset) -> dict[str, Any]:
    """How far each engine's embeddings are from PyTorch's, and what voters make of them."""
    fresh, found = ~recognizer.copies_in_gallery(faces), {}
    voters = {"k-NN": recognizer.voters["knn"], "vote": recognizer.voters["vote"]}
    pixels = faces.images.astype(np.float32)[:, None] / 255
    floats = engines["torch"].embed(pixels)
    for name, engine in engines.items():
        embeddings = engine.embed(pixels)
        right = {voter: most_probable(said.predict_proba(embeddings)) == faces.labels for voter, said in voters.items()}
        found[name] = {
            "largest_difference": float(np.abs(embeddings - floats).max()),
            "mean_cosine": float((embeddings * floats).sum(axis=1).mean()),
            "accuracy": {voter: float(hits.mean()) for voter, hits in right.items()},
            "accuracy_without_copies": {voter: float(hits[fresh].mean()) for voter, hits in right.items()},
        }
    return found


def document(record: dict[str, Any]) -> str:
    """The figures as Markdown."""
    machine = record["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    lines = [
        "# Inference",
        "",
        f"`{machine['command']}`, {machine['cpus']} cores ({machine['processor']}), {versions}.",
    ]
    lines += ["", "From the start of a process to the answer about one photo, and the mere imports beside it.", ""]
    lines += ["| process | seconds | times the imports |", "|---|---|---|"]
    names = {
        "imports": f"`python -c '{IMPORTS}'`",
        "onnx": "`ferembed predict portrait.jpg`",
        "torch": "the same with `--engine torch`",
        "fer": "the package fer on the same photo",
    }
    for name, figures in record["start"].items():
        lines.append(f"| {names[name]} | {figures['seconds']:.2f} | {figures['over_imports']:.2f} |")
    lines += ["", "Milliseconds a face through the encoder, and in brackets how many times as fast as PyTorch.", ""]
    lines += ["| faces at once | " + " | ".join(ENGINES.values()) + " |", "|---" * (1 + len(ENGINES)) + "|"]
    for batch, figures in record["throughput"].items():
        cells = [f"{figures[name]['ms_a_face']:.2f} ({figures[name]['times_torch']:.1f})" for name in ENGINES]
        lines.append(f"| {batch} | " + " | ".join(cells) + " |")
    lines += ["", "On PublicTest, the gallery embedded in floats: accuracy over all / without copies, in percent.", ""]
    voters = list(record["agreement"]["torch"]["accuracy"])
    lines += ["| engine | largest difference of an embedding | mean cosine | " + " | ".join(voters) + " |"]
    lines += ["|---" * (3 + len(voters)) + "|"]
    for name, figures in record["agreement"].items():
        both = [
            f"{100 * figures['accuracy'][voter]:.1f} / {100 * figures['accuracy_without_copies'][voter]:.1f}"
            for voter in voters
        ]
        apart = f"{figures['largest_difference']:.1g} | {figures['mean_cosine']:.5f}"
        lines.append(f"| {ENGINES[name]} | {apart} | " + " | ".join(both) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
