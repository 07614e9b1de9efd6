"""What the page's server refuses, and what it tells browsers to refuse."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

HOSTS = ("127.0.0.1", "localhost")

HEADERS = {
    "content-security-policy": "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
"""With each answer: the browser asks no other server for anything, shows it in no other page, and keeps nothing."""


class OnlyThisComputer:
    """Lets through what this page asks, and not what another page or another name of this computer does.

    A page from elsewhere is told by its ``Origin``. One that gave its own name the address of this computer (DNS
    rebinding) is told by its ``Host``.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": _with_ours(message.get("headers", []))}
            await send(message)

        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http" and is_ours(dict(scope["headers"])):
            await self.app(scope, receive, send_with_headers)
        elif scope["type"] == "http":
            await send({"type": "http.response.start", "status": 403, "headers": _with_ours([])})
            await send({"type": "http.response.body", "body": b"This page answers only to itself."})
        else:
            await send({"type": "websocket.close", "code": 1008})


def is_ours(headers: dict[bytes, bytes]) -> bool:
    """Whether a request names this computer as its host and, if any, the page itself as its origin.

    >>> is_ours({b"host": b"127.0.0.1:7860"}), is_ours({b"host": b"evil.example:7860"})
    (True, False)
    >>> is_ours({b"host": b"localhost:7860", b"origin": b"http://evil.example"})
    False
    """
    host = headers.get(b"host", b"").decode("latin-1")
    origin = headers.get(b"origin", b"").decode("latin-1")
    return host.rpartition(":")[0] in HOSTS and origin in ("", f"http://{host}")


def _with_ours(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    ours = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
    return [header for header in headers if header[0].lower().decode("latin-1") not in HEADERS] + ours
