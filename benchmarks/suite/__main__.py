"""Measure the systems of the field side by side.

python -m benchmarks.suite --budget smoke
python -m benchmarks.suite --budget cpu --only 'networks/small-*' 'systems/*'

Every row has its own record in OUT/suite-BUDGET/rows; one that is there, made from the same configuration, is not
measured again, so that a suite that was cut off goes on, within a training, too. What each network said of the
validation images lies in OUT/suite-BUDGET/kept: of it figures, ensembles and pictures are made again without weights.
Tables are made at the end, or when it is interrupted, of the records there are: what was not run is an empty cell.
"""

from __future__ import annotations

import argparse
import sys
from fnmatch import fnmatch
from pathlib import Path

from benchmarks.suite import trainings
from benchmarks.suite.bench import Bench
from benchmarks.suite.budgets import BUDGETS
from benchmarks.suite.document import write_document
from benchmarks.suite.others import named_functions
from benchmarks.suite.records import NotYet, Row
from benchmarks.suite.tables import TABLES

import ferembed as fe
from ferembed.estimators.likelihood import quiet
from ferembed.training.memory import keep_freed_memory


@quiet()
def main(arguments: list[str] | None = None) -> int:
    options = _parse(arguments)
    budget = BUDGETS[options.budget]
    faces = (
        fe.drawn_faces(budget.drawn)
        if budget.drawn and not options.data
        else fe.load_dataset(options.data or budget.data)
    )
    folder = f"suite-{budget.name}"
    bench = Bench(budget, faces, options.runs / folder, options.out / folder, named_functions(options.function))
    tables = {trainings.TABLE: trainings, **TABLES}
    check(options.only, [row for table in tables.values() for row in table.rows(bench)])
    try:
        for table in tables.values():
            # Rows are listed when their turn comes: what an ensemble is made of depends on what was trained by then.
            for row in table.rows(bench):
                if any(fits(row, pattern) for pattern in options.only):
                    _measure(bench, row)
    finally:
        write_document(bench)
    return 0


def _measure(bench: Bench, row: Row) -> None:
    """Measure a row that has no record."""
    said = "kept"
    if bench.records.read(row) is None:
        try:
            bench.records.measure(row)
            said = "measured"
        except NotYet as reason:
            said = f"left empty, since {reason}"
    print(f"{row.path}: {said}", flush=True)


def fits(row: Row, pattern: str) -> bool:
    """Whether a row is asked for, by its path or its name."""
    return fnmatch(row.path, pattern) or fnmatch(row.name, pattern)


def check(patterns: list[str], rows: list[Row]) -> None:
    """Check that each pattern fits a row.

    Raises
    ------
    SystemExit
        If one fits none.
    """
    for pattern in patterns:
        if not any(fits(row, pattern) for row in rows):
            names = "\n".join(row.path for row in rows)
            raise SystemExit(f"no row fits {pattern!r}; the rows are\n{names}")


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.suite", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--budget", choices=BUDGETS, required=True)
    parser.add_argument("--only", nargs="+", default=["*"], metavar="ROW", help="rows or patterns, such as 'small-ce*'")
    parser.add_argument(
        "--function",
        action="append",
        default=[],
        metavar="NAME=MODULE:FUNCTION",
        help="one more row: a function of grey images (n, h, w) that gives probabilities",
    )
    parser.add_argument("--data", help="other data than the budget's: fer2013.csv, a folder, a manifest")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the trainings")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder of the results")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    keep_freed_memory()
    sys.exit(main())
