"""The document, its sections and its text."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from ferembed.page.style import style_sheet
from ferembed.storage import write_text

_SHELL = Markup("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
<header>
<button id="theme" type="button">Light / dark</button>
<h1>{title}</h1>
<div class="lead">{lead}</div>
<nav>{contents}</nav>
</header>
<main>
{sections}
</main>
<script>
document.getElementById("theme").addEventListener("click", () => {{
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
}});
</script>
</body>
</html>
""")


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading, listed in its contents and reached by ``#`` and :func:`slug` of the title."""

    title: str
    blocks: Sequence[Markup]


def page(title: str, sections: Iterable[Section], lead: Markup | str = "") -> str:
    """A whole HTML document.

    Parameters
    ----------
    title : str
    sections : iterable of Section
    lead : str or Markup
        What stands under the title.
    """
    parts = list(sections)
    link = Markup('<a href="#{}">{}</a>')
    body = Markup('<section id="{}">\n<h2>{}</h2>\n{}\n</section>')
    return str(
        _SHELL.format(
            title=title,
            style=style_sheet(),
            lead=lead,
            contents=join(link.format(slug(part.title), part.title) for part in parts),
            sections=join(body.format(slug(part.title), part.title, join(part.blocks)) for part in parts),
        )
    )


def write_page(path: str | os.PathLike[str], html: str) -> None:
    """Write the document, whole or not at all."""
    write_text(path, html)


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


def slug(*words: str) -> str:
    """An anchor made of words: lower case, with hyphens.

    >>> slug("Most confident mistakes")
    'most-confident-mistakes'
    """
    return re.sub(r"\W+", "-", " ".join(words).lower()).strip("-")


def heading(text: str) -> Markup:
    """A heading within a section."""
    return Markup("<h3>{}</h3>").format(text)


def paragraph(text: Markup | str) -> Markup:
    """A paragraph."""
    return Markup("<p>{}</p>").format(text)


def note(text: Markup | str) -> Markup:
    """A paragraph in small, soft letters."""
    return Markup('<p class="note">{}</p>').format(text)


def fold(summary: str, *blocks: Markup) -> Markup:
    """Blocks that open when their summary is clicked."""
    return Markup("<details><summary>{}</summary>\n{}\n</details>").format(summary, join(blocks))


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

    def cells(tag: str, values: Sequence[Any]) -> Markup:
        kinds = [Markup(' class="text"') if place < text else Markup("") for place in range(len(values))]
        one = Markup("<" + tag + "{}>{}</" + tag + ">")
        return Markup("").join(one.format(kind, value) for kind, value in zip(kinds, values, strict=True))

    line = Markup("<tr{}>{}</tr>")
    starts = Markup(' class="group"')
    body = join(line.format(starts if group and values[0] else "", cells("td", values)) for values in rows)
    below = Markup("<caption>{}</caption>").format(caption) if caption else ""
    return Markup(
        '<div class="scroll"><table>{}\n<thead><tr>{}</tr></thead>\n<tbody>\n{}\n</tbody></table></div>'
    ).format(below, cells("th", headings), body)
