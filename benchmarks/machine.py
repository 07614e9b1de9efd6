"""What a figure was measured on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shlex
import sys
from typing import Any

from ferembed.runs.pipeline import processor

PACKAGES = ("ferembed", "torch", "faiss-cpu", "scikit-learn", "numpy")


def describe() -> dict[str, Any]:
    """The command, the processor and the versions that made a benchmark's figures; JSON values."""
    threads = os.environ.get("OMP_NUM_THREADS")
    return {
        "command": (f"OMP_NUM_THREADS={threads} " if threads else "") + shlex.join(["python", *called()]),
        "processor": processor(),
        "cpus": len(os.sched_getaffinity(0)),
        "versions": {"python": platform.python_version()} | {n: importlib.metadata.version(n) for n in PACKAGES},
    }


def called() -> list[str]:
    """What stood after ``python``: a script, or ``-m`` and a module in place of the path of its file; arguments."""
    spec = sys.modules["__main__"].__spec__
    return sys.argv if spec is None else ["-m", spec.name.removesuffix(".__main__"), *sys.argv[1:]]
