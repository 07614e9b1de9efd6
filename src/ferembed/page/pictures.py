"""Pictures embedded in a page."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from ferembed.page.document import join
from ferembed.page.style import DARK, LIGHT, plot_theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

Picture: TypeAlias = "Figure | SubFigure | Axes"


def figure(picture: Picture | Callable[[], Picture], caption: str, *, form: Literal["svg", "png"] = "svg") -> Markup:
    """A matplotlib picture, embedded.

    Parameters
    ----------
    picture : Figure, SubFigure, Axes, or a function without arguments that draws and returns one
        A function is called twice, for a light and a dark page; a finished picture stands on a white card in both.
    caption : str
        What it shows, also read out in its place.
    form : {"svg", "png"}
        SVG is sharp at any size; PNG is smaller for pictures with thousands of points or with photographs.
    """
    if not callable(picture):
        return _figure([("card", _saved(picture, form))], caption)
    from matplotlib import rc_context

    drawn = []
    for theme, colours in (("light", LIGHT), ("dark", DARK)):
        with rc_context(plot_theme(colours)):
            drawn.append((theme, _saved(picture(), form)))
    return _figure(drawn, caption)


def image_uri(image: NDArray[np.uint8], form: Literal["png", "jpeg", "webp"] = "png") -> str:
    """An image of shape (h, w) or (h, w, 3) as a ``data:`` address."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, form, quality=82)
    return _uri(file.getvalue(), f"image/{form}")


def _figure(images: Iterable[tuple[str, str]], caption: str) -> Markup:
    one = Markup('<img class="{}" src="{}" alt="{}">')
    shown = join(one.format(kind, source, caption) for kind, source in images)
    return Markup("<figure>{}<figcaption>{}</figcaption></figure>").format(shown, caption)


def _saved(picture: Picture, form: str) -> str:
    drawn: Any = picture.get_figure(root=True)
    file = io.BytesIO()
    drawn.savefig(file, format=form, transparent=True, dpi=110, metadata={"Date": None} if form == "svg" else None)
    return _uri(file.getvalue(), "image/svg+xml" if form == "svg" else f"image/{form}")


def _uri(data: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
