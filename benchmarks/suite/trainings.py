"""The networks that the tables share: each is trained once, asked once, and its answers are kept."""

from __future__ import annotations

from functools import partial
from typing import Any

from benchmarks.suite.bench import Bench, Training
from benchmarks.suite.budgets import PROBE
from benchmarks.suite.kept import Kept, ask
from benchmarks.suite.records import Result, Row

import ferembed as fe
from ferembed.estimators import FunctionMember
from ferembed.models.weights import FILE
from ferembed.probability import safe_log
from ferembed.storage import sha256

TABLE = "networks"
SHIPPED = "small-shipped"
JOINT = ("softmax", "knn", "vote")
HEADS: dict[str, tuple[str, ...]] = {
    "ce": ("softmax", "svm", "knn"),
    "ce-supcon": JOINT,
    "ce-contrastive": JOINT,
    "contrastive": ("knn",),
    "ce-triplet": JOINT,
    "triplet": ("knn",),
    "ce-hinge": JOINT,
    "hinge": ("softmax", "knn"),
}
"""What is read off a network, by what it learnt."""


def trainings(bench: Bench) -> list[Training]:
    """From the cheapest network to the dearest; one of them with every objective."""
    return [
        bench.training(network, objective, heads)
        for network in bench.budget.networks
        for objective, heads in HEADS.items()
        if network == PROBE or objective in ("ce", "ce-supcon")
    ]


def rows(bench: Bench) -> list[Row]:
    """The trainings, the recogniser that ships, and classifiers from elsewhere."""
    return [
        *(Row(TABLE, each.name, each.config, partial(_train, bench, each)) for each in trainings(bench)),
        Row(TABLE, SHIPPED, _config(bench, JOINT, recognizer=sha256(FILE)), partial(_shipped, bench)),
        *(
            Row(TABLE, name, _config(bench, ("softmax",), function=name), partial(_function, bench, name))
            for name in bench.functions
        ),
    ]


def _config(bench: Bench, heads: tuple[str, ...], **asked: str) -> dict[str, Any]:
    return asked | {"validation": bench.asked.fingerprint, "heads": list(heads)}


def _train(bench: Bench, training: Training) -> Result:
    return bench.ask(training, bench.halves, embeddings=True)


def _shipped(bench: Bench) -> Result:
    recognizer = fe.load("small", engine="torch")
    bench.keep(SHIPPED, ask(recognizer, JOINT, bench.halves, bench.asked))
    return {"parameters": sum(each.numel() for each in recognizer.encoder.parameters())}


def _function(bench: Bench, name: str) -> Result:
    member = FunctionMember(bench.functions[name], bench.classes)
    bench.keep(name, Kept({"softmax": safe_log(member.predict_proba(bench.asked.images))}))
    return {}
