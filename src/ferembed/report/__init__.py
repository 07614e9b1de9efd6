"""Reports as self-contained HTML files: of one run, and of two side by side."""

from ferembed.report.pair import write_comparison
from ferembed.report.single import write_report

__all__ = ["write_comparison", "write_report"]
