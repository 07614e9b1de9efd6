"""``ferembed app``: a web page on this computer that asks a recogniser."""

from __future__ import annotations

import signal
import threading
from typing import Annotated

import typer

from ferembed.cli.options import DEFAULT, RunOrNone, unambiguous

Port = Annotated[
    int | None,
    typer.Option("--port", min=1, max=65535, help="By default the first free one from 7860 on.", show_default=False),
]
Open = Annotated[bool, typer.Option("--open", help="Also open the page in the browser.")]


def command(run: RunOrNone = None, port: Port = None, open_browser: Open = False) -> None:
    """Show a page for photos: expressions, where the network looks, similarity, and enrolling a new expression.

    It answers to this computer alone. Photos are not kept and nothing is sent.
    """
    import webbrowser

    from ferembed.app import served
    from ferembed.recognizer.shipped import load

    recognizer = load(DEFAULT if run is None else unambiguous(run))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # its folder goes then, too
    try:
        with served(recognizer, port=port) as address:
            known = ", ".join(recognizer.classes_)
            print(f"The page is at {address} and knows {known}. Ctrl-C ends it.", flush=True)
            if open_browser:
                webbrowser.open(address)
            threading.Event().wait()
    except KeyboardInterrupt:
        pass
