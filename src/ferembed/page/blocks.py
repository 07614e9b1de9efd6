"""A page and what stands on it: sections, text, tables and pictures."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from ferembed.page.style import DARK, LIGHT, plot_theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

Picture: TypeAlias = "Figure | SubFigure | Axes"


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading, listed in its contents and reached by ``#`` and :func:`slug` of the title."""

    title: str
    blocks: Sequence[Markup]


def page(title: str, sections: Sequence[Section], lead: Markup | str = "") -> str:
    """A whole HTML document; ``lead`` stands under its title."""
    return str(render("page.html", title=title, sections=sections, lead=lead, light=LIGHT, dark=DARK))


def render(template: str, **values: Any) -> Markup:
    """A template of this package, filled in; all but Markup is escaped."""
    return Markup(_templates().get_template(template).render(values))


@cache
def _templates() -> Environment:
    loader = PackageLoader("ferembed.page")
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters["slug"] = slug
    return made


def join(blocks: Iterable[Markup]) -> Markup:
    """Blocks one after the other."""
    return Markup("\n").join(blocks)


def row(*blocks: Markup) -> Markup:
    """Blocks side by side, as many as the window is wide enough for."""
    return Markup('<div class="row">{}</div>').format(join(blocks))


def columns(*blocks: Markup) -> Markup:
    """Blocks in columns of one width, or under each other where the window is narrow."""
    return Markup('<div class="columns">{}</div>').format(
        join(Markup("<div>{}</div>").format(block) for block in blocks)
    )


def slug(words: str) -> str:
    """An anchor made of words: lower case, with hyphens.

    >>> slug("Most confident mistakes")
    'most-confident-mistakes'
    """
    return re.sub(r"\W+", "-", words.lower()).strip("-")


def heading(text: str) -> Markup:
    """A heading within a section."""
    return Markup("<h3>{}</h3>").format(text)


def paragraph(text: Markup | str) -> Markup:
    """A paragraph."""
    return Markup("<p>{}</p>").format(text)


def note(text: Markup | str) -> Markup:
    """A paragraph in small, soft letters."""
    return Markup('<p class="note">{}</p>').format(text)


def table(
    headings: Sequence[Any], rows: Iterable[Sequence[Any]], *, caption: str = "", text: int = 1, group: bool = False
) -> Markup:
    """A table; a wide one scrolls within the page.

    Parameters
    ----------
    headings : sequence of str
    rows : iterable of sequences
        Cells: anything that prints, or Markup.
    caption : str
    text : int
        How many leading columns hold text, which stands left; the others hold numbers, which stand right.
    group : bool
        Draw a line above each row whose first cell is not empty.
    """
    return render("table.html", headings=headings, rows=rows, caption=caption, text=text, group=group)


def figure(draw: Callable[[], Picture], caption: str, *, form: Literal["svg", "png"] = "svg") -> Markup:
    """A matplotlib picture, embedded.

    Parameters
    ----------
    draw : function
        Draws and returns a Figure, SubFigure or Axes; it is called twice, for a light and a dark page.
    caption : str
        What it shows, also read out in its place.
    form : {"svg", "png"}
        SVG is sharp at any size; PNG is smaller for pictures with thousands of points or with photographs.
    """
    from matplotlib import rc_context

    one, shown = Markup('<img class="{}" src="{}" alt="{}">'), []
    for theme, colours in (("light", LIGHT), ("dark", DARK)):
        with rc_context(plot_theme(colours)):
            shown.append(one.format(theme, _saved(draw(), form), caption))
    return Markup("<figure>{}<figcaption>{}</figcaption></figure>").format(join(shown), caption)


def image_uri(image: NDArray[np.uint8]) -> str:
    """An image of shape (h, w) or (h, w, 3) as a ``data:`` address of a WebP file."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, "webp", quality=82)
    return _uri(file.getvalue(), "image/webp")


def _saved(picture: Picture, form: str) -> str:
    drawn: Any = picture.get_figure(root=True)
    file = io.BytesIO()
    drawn.savefig(file, format=form, transparent=True, dpi=110, metadata={"Date": None} if form == "svg" else None)
    return _uri(file.getvalue(), "image/svg+xml" if form == "svg" else f"image/{form}")


def _uri(data: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
