"""Building blocks of a self-contained HTML page: no network, light and dark, everything escaped.

Every block is a :class:`markupsafe.Markup`: plain text given to a block is escaped, markup made here is kept.

Examples
--------
>>> from ferembed.page import Section, page, paragraph, table
>>> html = page("Audit", [Section("Copies", [paragraph("a < b"), table(["split", "copies"], [["train", 3]])])])
>>> "a &lt; b" in html, 'id="copies"' in html
(True, True)
"""

from ferembed.page.blocks import (
    Section,
    columns,
    figure,
    heading,
    join,
    note,
    page,
    paragraph,
    render,
    row,
    slug,
    table,
)
from ferembed.page.face_sheet import FaceSheet, face_grid, face_map

__all__ = [
    "FaceSheet",
    "Section",
    "columns",
    "face_grid",
    "face_map",
    "figure",
    "heading",
    "join",
    "note",
    "page",
    "paragraph",
    "render",
    "row",
    "slug",
    "table",
]
