"""The tables and pictures of the records there are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmarks.machine import describe
from benchmarks.suite.bench import Bench
from benchmarks.suite.records import Records, Row, device
from benchmarks.suite.tables import TABLES
from benchmarks.suite.tables.common import Results

from ferembed.evaluation import save_figure
from ferembed.storage import write_text


def write_document(
    bench: Bench, every: Mapping[str, list[Row]], records: Records, out: Path, *, pictures: bool
) -> None:
    """Write ``tables.md`` and, if asked for, a picture of each table that has a result."""
    results = {row.path: found for rows in every.values() for row in rows if (found := records.read(row)) is not None}
    lines = _opening(bench, every, results)
    for name, table in TABLES.items():
        lines += ["", f"## {table.TITLE}", "", *table.lines(bench, every[name], results)]
        if any(row.path in results for row in every[name]):
            lines += ["", f"![{table.TITLE}]({name}.png)"]
            if pictures:
                save_figure(table.picture(bench, every[name], results), out / f"{name}.png")
    write_text(out / "tables.md", "\n".join(lines) + "\n")


def _opening(bench: Bench, every: Mapping[str, list[Row]], results: Results) -> list[str]:
    machine, total = describe(), sum(map(len, every.values()))
    budget, test = bench.budget, bench.parts.test
    return [
        f"# Benchmark suite, budget {budget.name}",
        "",
        f"`python -m benchmarks.suite --budget {budget.name}`: {len(results)} of {total} rows measured; an empty cell "
        f"was not run. {machine['cpus']} CPUs ({machine['processor']}), {device()}.",
        "",
        f"Of {bench.faces.source}, {bench.parts.said}; {test.fresh} of the {len(test)} test images have no copy, "
        "identical or known to show the same photo, among the others. Nothing was selected on the test split, "
        "but for the runs trained in full, as their table says.",
    ]
