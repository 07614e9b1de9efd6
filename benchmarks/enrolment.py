"""What fifty faces of contempt, enrolled after training, do to a recogniser of FER2013's seven expressions.

python benchmarks/enrolment.py small data/fer2013.csv data/fer2013new.csv --out benchmarks/results

Contempt is where FER+ annotators named it most often. Faces to enrol are drawn from Training; they stay in the gallery
under FER2013's name for them, too. PublicTest is halved: one half, without its contempt, calibrates, the other half is
asked, and then the other way round.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import log_loss, recall_score

from ferembed import FaceDataset, Recognizer, load, load_fer2013
from ferembed.evaluation import auroc, expected_calibration_error
from ferembed.recognizer.voters import renamed
from ferembed.storage import write_json, write_text

LABEL = "contempt"
ENROLLED = 50


def is_contempt(faces: FaceDataset) -> NDArray[np.bool_]:
    """Whether FER+ annotators named contempt more often than anything else."""
    assert faces.votes is not None
    place = faces.vote_classes.index(LABEL)
    others = np.delete(faces.votes, place, axis=1)
    return np.asarray(faces.votes[:, place] > others.max(axis=1))


def judged(recognizer: Recognizer, embeddings: NDArray[np.float32], asked: FaceDataset) -> dict[str, float]:
    """Figures on the faces of trained expressions."""
    proba = recognizer.voters["vote"].predict_proba(embeddings)
    said = proba.argmax(axis=1)
    return {
        "accuracy": float((said == asked.labels).mean()),
        "balanced_accuracy": float(recall_score(asked.labels, said, labels=range(7), average="macro")),
        "nll": float(log_loss(asked.labels, proba, labels=range(proba.shape[1]))),
        "ece": expected_calibration_error(proba, asked.labels),
        "named_contempt": float((said == 7).mean()),
        "lost_to_contempt": renamed(proba, asked.labels, 7),
    }


def trial(
    recognizer: Recognizer, pool: FaceDataset, asked: FaceDataset, embeddings: NDArray[np.float32], seed: int
) -> dict[str, Any]:
    """Enrol one draw of faces, judge, and forget them."""
    contempt = is_contempt(asked)
    known = asked.subset(~contempt)
    before = judged(recognizer, embeddings[~contempt], known)
    drawn = np.random.default_rng(seed).choice(len(pool), ENROLLED, replace=False)
    start = time.process_time()
    recognizer.enroll(LABEL, pool.images[drawn])
    enrolled = time.process_time()
    after = judged(recognizer, embeddings[~contempt], known)
    proba = recognizer.voters["vote"].predict_proba(embeddings)
    asking = time.process_time()
    recognizer.forget(LABEL)
    return {
        "before": before,
        "after": after,
        "points_lost": 100 * (before["accuracy"] - after["accuracy"]),
        "contempt_asked": int(contempt.sum()),
        "contempt_found": int((proba[contempt].argmax(axis=1) == 7).sum()),
        "auroc": auroc(proba[contempt, 7], proba[~contempt, 7]),
        "enroll_s": enrolled - start,
        "forget_s": time.process_time() - asking,
    }


def table(result: dict[str, Any]) -> str:
    trials = result["trials"]

    def mean(*path: str) -> float:
        values = []
        for each in trials:
            for name in path:
                each = each[name]
            values.append(each)
        return float(np.mean(values))

    lost = [each["points_lost"] for each in trials]
    asked, found = (sum(each[name] for each in trials) for name in ("contempt_asked", "contempt_found"))
    lines = [
        "# Enrolment",
        "",
        f"`{result['command']}`: {ENROLLED} faces of contempt (FER+) enrolled in a recogniser of seven expressions; "
        f"{len(trials)} trials: {result['seeds']} draws, each half of PublicTest asked, the other calibrating.",
        "",
        "| faces of the seven trained expressions | before | after |",
        "|---|---|---|",
    ]
    lines += [
        f"| {title} | {mean('before', name):.4f} | {mean('after', name):.4f} |"
        for name, title in [
            ("accuracy", "accuracy"),
            ("balanced_accuracy", "balanced accuracy"),
            ("nll", "negative log-likelihood"),
            ("ece", "expected calibration error"),
            ("named_contempt", "share named contempt"),
            ("lost_to_contempt", "share that lost their right name to contempt"),
        ]
    ]
    lines += [
        "",
        f"Points of accuracy lost: {np.mean(lost):.2f} on average, {max(lost):.2f} at worst.",
        f"Contempt found: {found} of {asked} askings ({found / asked:.1%}); its probability tells it from the others "
        f"with an area under the ROC curve of {mean('auroc'):.3f}.",
        "Seconds of processor time to enrol and to forget, folder written anew: "
        f"{np.median([t['enroll_s'] for t in trials]):.2f} and "
        f"{np.median([t['forget_s'] for t in trials]):.2f} (median), {max(t['enroll_s'] for t in trials):.2f} and "
        f"{max(t['forget_s'] for t in trials):.2f} (longest).",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="folder of a run on FER2013, or the name of a shipped recogniser")
    parser.add_argument("faces", type=Path, help="fer2013.csv")
    parser.add_argument("votes", type=Path, help="fer2013new.csv")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--out", type=Path, default=Path("benchmarks/results"), help="folder for enrolment.json and enrolment.md"
    )
    options = parser.parse_args()
    data = load_fer2013(options.faces, options.votes).without_blank()
    train, public = data.split("train"), data.split("validation")
    pool = train.subset(is_contempt(train))
    pool = pool.subset(np.sort(np.unique(pool.pixel_hashes, return_index=True)[1]))
    half = np.random.default_rng(0).permutation(len(public)) % 2
    trials = []
    with tempfile.TemporaryDirectory() as folder:
        source = load(options.run)
        source.save(Path(folder) / "recognizer")
        recognizer = Recognizer.load(Path(folder) / "recognizer")
        for asked in (public.subset(half == 0), public.subset(half == 1)):
            others = public.subset(~np.isin(public.ids, asked.ids))
            recognizer.calibrate(others.subset(~is_contempt(others)))
            embeddings = recognizer.encode(asked.images)
            for seed in range(options.seeds):
                trials.append(trial(recognizer, pool, asked, embeddings, seed))
                print({k: v for k, v in trials[-1].items() if k not in ("before", "after")}, flush=True)
        shutil.rmtree(Path(folder) / "recognizer")
    result = {
        "command": f"python benchmarks/enrolment.py {options.run} {options.faces} {options.votes}",
        "seeds": options.seeds,
        "contempt_in_training": len(pool),
        "trials": trials,
    }
    write_json(options.out / "enrolment.json", result)
    write_text(options.out / "enrolment.md", table(result))
    print(table(result))


if __name__ == "__main__":
    main()
