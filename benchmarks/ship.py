"""Put a run's recognisers into the package, in place of those that ship, and write their card.

    python benchmarks/ship.py runs/small-taught data/fer2013.csv

With them goes the network for ONNX Runtime, in floats and in 8 bits, without weights of its own. What is packed is
judged beside what was trained: it is refused where the file is larger than 12 MB, 16-bit weights and an 8-bit gallery
cost the k-NN more than 0.2 points of accuracy, or the 8-bit network more than 0.3.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import ferembed as fe
from ferembed.models.engines import engine_for
from ferembed.models.weights import CARD, FILE
from ferembed.recognizer.packed import pack, read_packed
from ferembed.runs.assessment import answer
from ferembed.runs.cards import card_text
from ferembed.runs.exporting import add_graph, add_int8
from ferembed.runs.pipeline import VOTING
from ferembed.storage import write_text

LARGEST = 12e6
BEARABLE = 0.002


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a run on FER2013 with FER+ votes")
    parser.add_argument("data", help="fer2013.csv, with fer2013new.csv beside it")
    arguments = parser.parse_args()
    faces = fe.load_dataset(arguments.data)
    train, faces = faces.split("train"), faces.split("validation")
    folders = {"small": arguments.run / "recognizer", "ferplus": arguments.run / VOTING}
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / FILE.name
        pack(_with_networks(folders, train, faces, Path(folder)), draft)
        print(f"{draft.stat().st_size / 1e6:.2f} MB")
        packed = {name: fe.Recognizer.later(*read_packed(draft, name)) for name in folders}
        lost = max(
            _accuracy(fe.Recognizer.load(folders[name]), faces) - _accuracy(packed[name], faces) for name in folders
        )
        print(f"compression costs the k-NN at most {100 * lost:.2f} points")
        if draft.stat().st_size > LARGEST or lost > BEARABLE:
            sys.exit("not shipped.")
        text = card_text("small and ferplus", packed, faces)
        FILE.write_bytes(draft.read_bytes())
        write_text(CARD, text)


def _with_networks(
    folders: dict[str, Path], train: fe.FaceDataset, faces: fe.FaceDataset, into: Path
) -> dict[str, Path]:
    """The recognisers, which have one encoder, saved with its networks for ONNX Runtime."""
    recognizers = {name: fe.Recognizer.load(path) for name, path in folders.items()}
    first = next(iter(recognizers.values()))
    add_graph(first)
    found = add_int8(first, train, faces)
    print(f"8 bits: k-NN {found.int8:.2%}, in floats {found.floats:.2%}")
    for name, recognizer in recognizers.items():
        recognizer.engine = engine_for(first.engine.files.bare)
        recognizer.save(into / name)
    return {name: into / name for name in folders}


def _accuracy(recognizer: fe.Recognizer, faces: fe.FaceDataset) -> float:
    answers = answer(recognizer, faces)
    return float((answers.predicted("knn") == answers.codes).mean())


if __name__ == "__main__":
    main()
