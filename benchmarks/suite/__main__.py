"""Measure the systems of the field side by side.

python -m benchmarks.suite --budget smoke
python -m benchmarks.suite --budget cpu --tables systems cost --rows 'systems/small.*' 'cost/small.*'

Every row has its own record in OUT/rows; one that is there, made from the same configuration, is not measured again, so
that a suite that was cut off goes on. Tables and pictures are made of the records there are: what was not run is an
empty cell.
"""

from __future__ import annotations

import argparse
import sys
from fnmatch import fnmatch
from pathlib import Path

from benchmarks.suite.bench import Bench
from benchmarks.suite.budgets import BUDGETS
from benchmarks.suite.document import write_document
from benchmarks.suite.records import NotYet, Records, Row
from benchmarks.suite.tables import TABLES

import ferembed as fe


def main(arguments: list[str] | None = None) -> int:
    options = _parse(arguments)
    budget = BUDGETS[options.budget]
    extra = {"n": budget.drawn} if budget.drawn else {}
    bench = Bench(budget, fe.load_dataset(options.data or budget.data, **extra), options.runs / budget.name)
    out = options.out / f"suite-{budget.name}"
    records = Records(out / "rows")
    every = {name: table.rows(bench) for name, table in TABLES.items()}
    for row in chosen([row for name in options.tables for row in every[name]], options.rows):
        if records.read(row) is not None:
            print(f"{row.path}: kept", flush=True)
            continue
        try:
            records.measure(row)
            print(f"{row.path}: measured", flush=True)
        except NotYet as reason:
            print(f"{row.path}: left empty, since {reason}", flush=True)
        write_document(bench, every, records, out, pictures=False)
    write_document(bench, every, records, out, pictures=True)
    return 0


def chosen(rows: list[Row], patterns: list[str]) -> list[Row]:
    """The rows whose paths fit a pattern.

    Raises
    ------
    SystemExit
        If a pattern fits none.
    """
    for pattern in patterns:
        if not any(fnmatch(row.path, pattern) for row in rows):
            names = "\n".join(row.path for row in rows)
            raise SystemExit(f"no row of these tables fits {pattern!r}; the rows are\n{names}")
    return [row for row in rows if any(fnmatch(row.path, pattern) for pattern in patterns)]


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.suite", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--budget", choices=BUDGETS, required=True)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES), metavar="TABLE")
    parser.add_argument("--rows", nargs="+", default=["*"], metavar="PATTERN", help="such as 'systems/small.*'")
    parser.add_argument("--data", help="other data than the budget's: fer2013.csv, a folder, a manifest")
    parser.add_argument("--runs", type=Path, default=Path("runs/suite"), help="folder of the trainings")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder of the results")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
