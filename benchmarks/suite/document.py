"""The tables and pictures of the records there are."""

from __future__ import annotations

from benchmarks.machine import describe
from benchmarks.suite import trainings
from benchmarks.suite.bench import Bench
from benchmarks.suite.records import device
from benchmarks.suite.tables import TABLES
from benchmarks.suite.tables.common import Results, counted

from ferembed.evaluation import save_figure
from ferembed.storage import write_text


def write_document(bench: Bench) -> None:
    """Write ``tables.md`` and a picture of each table that has a result."""
    every = {name: table.rows(bench) for name, table in {trainings.TABLE: trainings, **TABLES}.items()}
    results = {
        row.path: found for rows in every.values() for row in rows if (found := bench.records.read(row)) is not None
    }
    lines = _opening(bench, sum(map(len, every.values())), results)
    for name, table in TABLES.items():
        lines += ["", f"## {table.TITLE}", "", *table.lines(bench, every[name], results)]
        if any(row.path in results for row in every[name]):
            lines += ["", f"![{table.TITLE}]({name}.png)"]
            save_figure(table.picture(bench, every[name], results), bench.out / f"{name}.png")
    write_text(bench.out / "tables.md", "\n".join(lines) + "\n")


def _opening(bench: Bench, total: int, results: Results) -> list[str]:
    machine, budget = describe(), bench.budget
    judged = [half.judged for half in bench.halves]
    fresh = sum(each.fresh for each in judged)
    return [
        f"# Benchmark suite, budget {budget.name}",
        "",
        f"`python -m benchmarks.suite --budget {budget.name}`: {len(results)} of {total} rows measured; an empty cell "
        f"was not run. Tables made on {counted(machine['cpus'], 'CPU')} ({machine['processor']}), {device()}; "
        "each row's record in `rows/` says where it was measured.",
        "",
        f"Of {bench.faces.source}, the training split trains ({len(bench.train.faces)} faces), and the validation "
        f"split selects and is judged ({sum(map(len, judged))} that are not blank; {fresh} of them have no copy, "
        "identical or known to show the same photo, in the training split): each half selects for the other. The test "
        "split is not looked at. A claim about differences is decided where one surely lies on one side of 0 and none "
        "on the other, by intervals widened so that all of the claim's hold at once with 95% (Bonferroni).",
    ]
