"""The tables: each module names its rows, says how one is measured, and writes and draws what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from benchmarks.suite.tables import cost, curves, enrolment, ensembles, imbalance, noise, systems

TABLES: Mapping[str, ModuleType] = {
    "systems": systems,
    "ensembles": ensembles,
    "imbalance": imbalance,
    "cost": cost,
    "enrolment": enrolment,
    "noise": noise,
    "curves": curves,
}
"""By name; each has ``rows(bench)``, ``lines(bench, rows, results)`` and
``picture(bench, rows, results)``."""
