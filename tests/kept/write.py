"""Write what ferembed keeps on disk, and what it said of it: `python tests/kept/write.py FOLDER [--format-1]`.

The folders beside this script were written by commit ddbcf77, that of format 1 by 5899002, before the packages were
moved; ``tests/test_kept.py`` reads them. They are never written again: a new format gets folders of its own.
"""

import csv
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from sklearn.frozen import FrozenEstimator

from ferembed import FaceDataset, Recipe, Recognizer, drawn_faces, train
from ferembed.models import Encoder, Network

TINY = Recipe().override(
    {
        "epochs": 4,
        "encoder.backbone": "resnet10t",
        "encoder.embedding_dim": 16,
        "encoder.stem": "standard",
        "encoder.backbone_args": {"channels": [8, 8, 8, 8], "stem_width": 8},
        "encoder.image_size": 32,
        "batches.size": 32,
        "optimizer.lr": 0.05,
        "precision": "fp32",
        "average": 0.9,
    }
)


def faces_kept() -> FaceDataset:
    return drawn_faces(210, image_size=32, seed=5)


def write_recognizer(out: Path, faces: FaceDataset) -> Recognizer:
    torch.manual_seed(0)
    arguments = {"channels": (8, 8, 8, 8), "stem_width": 8}
    network = Network(Encoder("resnet10t", 16, 32, stem="standard", backbone_args=arguments), len(faces.classes))
    network.train()
    with torch.no_grad():  # moves the batch normalisations' means, so that embeddings differ
        network(torch.from_numpy(faces.split("train").images).unsqueeze(1).float() / 255)
    recognizer = Recognizer.build(network.eval(), faces.split("train"), faces.split("validation"), info={"seed": 0})
    recognizer.save(out)
    return recognizer


def said_of(recognizer: Recognizer, images: np.ndarray) -> dict[str, np.ndarray]:
    embeddings = recognizer.encode(images)
    proba = {name: voter.predict_proba(embeddings) for name, voter in recognizer.voters.items()}
    return {"embeddings": embeddings, **proba, "near": recognizer.neighbors(images, k=4).similarities}


def write_classifiers(out: Path, X: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    from ferembed.estimators import (
        CalibratedClassifier,
        KNNClassifier,
        OpenSet,
        RejectOption,
        SoftmaxHead,
        StackingEnsemble,
        VotingEnsemble,
    )

    knn, head = KNNClassifier(5, smoothing=0.02).fit(X[::2], y[::2]), SoftmaxHead().fit(X[::2], y[::2])
    one, both = FrozenEstimator(knn), [("knn", FrozenEstimator(knn)), ("head", FrozenEstimator(head))]
    built = {
        "knn": knn,
        "head": head,
        "temperature": CalibratedClassifier(one),
        "vector": CalibratedClassifier(one, method="vector"),
        "reject": RejectOption(one),
        "open_set": OpenSet(one),
        "voting": VotingEnsemble(both),
        "stacking": StackingEnsemble(both),
    }
    for name, classifier in built.items():
        (classifier if name in {"knn", "head"} else classifier.fit(X[1::2], y[1::2])).save(out / name)
    proba = {name: c.predict_proba(X) for name, c in built.items() if hasattr(c, "predict_proba")}
    return proba | {f"{name} says": built[name].predict(X) for name in ("reject", "open_set")}


def write_indexes(out: Path, X: np.ndarray) -> dict[str, np.ndarray]:
    from ferembed.index import faiss_index, make_index

    faiss_index.LISTS_FROM = 100
    said = {}
    for kind in ("exact", "flat", "ivf", "hnsw"):
        index = make_index(kind, X.shape[1])
        index.add(X, ids=np.arange(len(X)) * 3, labels=np.arange(len(X)) % 7)
        index.remove(index.ids[::5])
        index.save(out / kind)
        found = index.search(X[:20], 6)
        said |= {f"{kind} ids": found.ids, f"{kind} similarities": found.similarities, f"{kind} labels": found.labels}
    return said


def write_run(out: Path, faces: FaceDataset) -> dict[str, np.ndarray]:
    """The figures of a whole run; what is kept is the same run cut off after two of its four epochs."""
    train(TINY, faces.split("train"), faces.split("validation"), out / "whole")
    with open(out / "whole" / "logs" / "csv" / "metrics.csv", newline="") as file:
        losses = [float(row["train/loss"]) for row in csv.DictReader(file) if row["train/loss"]]
    shutil.rmtree(out / "whole")
    code = "import sys; sys.path.insert(0, sys.argv[2]); import write; write.cut_off(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(out / "run"), str(Path(__file__).parent)], check=False)
    shutil.rmtree(out / "run" / "logs" / "tensorboard", ignore_errors=True)
    return {"losses": np.array(losses)}


def cut_off(out: str) -> None:
    from lightning.pytorch.callbacks import Callback

    from ferembed.training import fit

    class Cut(Callback):
        def on_train_epoch_start(self, trainer, pl_module):
            if trainer.current_epoch == 2:
                os.kill(os.getpid(), signal.SIGKILL)

    made = fit._callbacks
    fit._callbacks = lambda *given: [*made(*given), Cut()]
    faces = faces_kept()
    train(TINY, faces.split("train"), faces.split("validation"), out)


def main() -> None:
    out = Path(sys.argv[1])
    faces = faces_kept()
    if "--format-1" in sys.argv:
        images = load_file(out / "recognizer.said.safetensors")["images"]
        said = {"images": images, **said_of(write_recognizer(out / "recognizer-1", faces), images)}
        save_file(said, out / "recognizer-1.said.safetensors")
        return
    out.mkdir(parents=True, exist_ok=True)
    images = faces.split("test").images
    recognizer = write_recognizer(out / "recognizer-2", faces)
    recognizer.export(out / "exported.safetensors")
    rng = np.random.default_rng(0)
    y = np.arange(120) % 3
    X = (rng.normal(size=(120, 8)) + 2 * np.eye(3, 8)[y]).astype(np.float32)
    said = {
        "recognizer": {"images": images, **said_of(recognizer, images)},
        "exported": {"images": images, **said_of(Recognizer.load(out / "exported.safetensors"), images)},
        "classifiers": {"X": X, "y": y, **write_classifiers(out / "classifiers", X, y)},
        "indexes": {"X": X, **write_indexes(out / "indexes", X)},
        "run": write_run(out, faces),
    }
    for name, arrays in said.items():
        save_file({key: np.ascontiguousarray(array) for key, array in arrays.items()}, out / f"{name}.said.safetensors")


if __name__ == "__main__":
    main()
