"""Rows and their records: one JSON file a row, whole or not there, and kept until its configuration changes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import describe

from ferembed.storage import write_json

Result = dict[str, Any]


class NotYet(LookupError):
    """A row needs others that have not been run."""


@dataclass(frozen=True)
class Row:
    """Something to measure."""

    table: str
    name: str
    config: Mapping[str, Any]
    """JSON values that decide the result: a record made from others is measured again."""
    measure: Callable[[], Result]

    @property
    def path(self) -> str:
        """The table and the name, by which the row is asked for."""
        return f"{self.table}/{self.name}"


@dataclass(frozen=True)
class Records:
    """The folder of the rows' records."""

    folder: Path

    def file(self, row: Row) -> Path:
        """The record of a row."""
        return self.folder / row.table / f"{row.name}.json"

    def read(self, row: Row) -> Result | None:
        """The result of a row, if it was measured from the same configuration."""
        try:
            record = json.loads(self.file(row).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return record["result"] if record["config"] == row.config else None

    def measure(self, row: Row) -> Result:
        """Measure a row and write its record."""
        started = time.monotonic(), time.process_time()
        result = row.measure()
        seconds, cpu_seconds = time.monotonic() - started[0], time.process_time() - started[1]
        record = {
            "row": row.path,
            "result": result,
            "seconds": round(seconds, 1),
            "cpu_seconds": round(cpu_seconds, 1),
            "load_average": os.getloadavg()[0],
            "device": device(),
            **describe(),
            "config": row.config,
        }
        write_json(self.file(row), record)
        return result


def device() -> str:
    """Where networks are trained."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
