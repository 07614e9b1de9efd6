"""The page's server: on this computer alone, with a folder for uploads that goes when it stops."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

from ferembed.app.guard import OnlyThisComputer
from ferembed.app.uploads import private_uploads

if TYPE_CHECKING:
    from ferembed.recognizer import Recognizer

HOST = "127.0.0.1"

LARGEST_UPLOAD = 15 * 2**20
"""Bytes of a photo."""


@contextmanager
def served(recognizer: Recognizer, *, port: int | None = None) -> Iterator[str]:
    """The address of a page that asks a recogniser, for as long as the with-block lasts.

    Only this computer reaches it, and no other web page does. An uploaded photo is a file in a folder of the server's
    own until it is read, at once; answers are made in memory, and a closed tab is forgotten. Nothing is sent anywhere.

    Parameters
    ----------
    recognizer : Recognizer
        It is not changed: what is enrolled on the page goes into a copy.
    port : int, optional
        The first free one from 7860 on where not given.

    Raises
    ------
    ImportError
        If gradio or dlib is not installed.
    OSError
        If the port is taken.
    """
    from ferembed.faces.detectors import import_dlib

    import_dlib()
    try:
        import gradio  # noqa: F401
    except ImportError as error:
        raise ImportError("the page needs gradio: pip install 'ferembed[app]'") from error
    turn = Lock()
    with private_uploads():
        page = _launched(recognizer, port, turn)
        try:
            yield page.local_url.rstrip("/")
        finally:
            page.close(verbose=False)
            turn.acquire()  # the last question ends, and no other begins: a program that ends in one would crash


def _launched(recognizer: Recognizer, port: int | None, turn: Lock) -> Any:
    from starlette.middleware import Middleware

    from ferembed.app.layout import build
    from ferembed.app.look import HEAD, css, theme

    page = build(recognizer, turn)
    page.queue(max_size=20, default_concurrency_limit=1)
    try:
        page.launch(
            server_name=HOST,
            server_port=port,
            prevent_thread_lock=True,
            quiet=True,
            share=False,
            max_file_size=LARGEST_UPLOAD,
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            theme=theme(),
            css=css(),
            head=HEAD,
            app_kwargs={"middleware": [Middleware(OnlyThisComputer)]},
        )
    except OSError as error:
        raise OSError(_taken(port)) from error
    return page


def _taken(port: int | None) -> str:
    if port is None:
        return "no port from 7860 to 7959 is free: name another by --port."
    return f"port {port} is taken: name another by --port, or none to have a free one."
