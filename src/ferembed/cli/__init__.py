"""The command line, one module a command. Heavy imports stand inside the commands, so that help is instant."""

from __future__ import annotations

import sys
from typing import Annotated, NoReturn

import typer

from ferembed import __version__
from ferembed.cli import app as page
from ferembed.cli import audit, card, compare, demo, evaluate, export, predict, recipes, report, train
from ferembed.cli.console import complain
from ferembed.cli.options import RunFirst


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ferembed {__version__}")
        raise typer.Exit


app = typer.Typer(
    name="ferembed",
    help="Recognise facial expressions by metric learning: train, evaluate, predict.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _ferembed(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Options of the command line itself; its help is the app's."""


app.command("audit")(audit.command)
app.command("train")(train.command)
app.command("evaluate", cls=RunFirst)(evaluate.command)
app.command("report", cls=RunFirst)(report.command)
app.command("compare")(compare.command)
app.command("predict", cls=RunFirst)(predict.command)
app.command("export")(export.command)
app.command("recipes")(recipes.command)
app.command("card")(card.command)
app.command("demo")(demo.command)
app.command("app")(page.command)


INTERRUPTED = 130
"""The exit code after Ctrl-C, as typer and shells have it."""


def main() -> None:
    """Run the command line. Exit codes: 0, 1 for a failure, 2 for wrong use, 130 after Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # file names may hold bytes that are no UTF-8
    try:
        app()
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            complain("interrupted; a training goes on from its last finished epoch by the same command.")
        raise
    except (ValueError, OSError) as error:
        _fail(error)
    except ImportError as error:
        if "pip install" not in str(error):
            raise
        _fail(error)
    except RuntimeError as error:
        from ferembed.training import TrainingError

        if not isinstance(error, TrainingError):
            raise
        _fail(error)


def _fail(error: Exception) -> NoReturn:
    complain(error)
    sys.exit(1)
