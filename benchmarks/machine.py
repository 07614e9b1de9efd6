"""What a figure was measured on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from pathlib import Path
from typing import Any

PACKAGES = ("ferembed", "torch", "faiss-cpu", "scikit-learn", "numpy")


def describe() -> dict[str, Any]:
    """The command, the processor and the versions that made a benchmark's figures; JSON values."""
    threads = os.environ.get("OMP_NUM_THREADS")
    return {
        "command": (f"OMP_NUM_THREADS={threads} " if threads else "") + " ".join(["python", *sys.argv]),
        "processor": processor(),
        "cpus": len(os.sched_getaffinity(0)),
        "versions": {"python": platform.python_version()} | {n: importlib.metadata.version(n) for n in PACKAGES},
    }


def processor() -> str:
    """The processor's name, as the system gives it."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
