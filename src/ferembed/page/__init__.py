"""Building blocks of a self-contained HTML page: no network, light and dark, everything escaped.

Every block is a :class:`markupsafe.Markup`: plain text given to a block is escaped, markup made here is kept.

Examples
--------
>>> from ferembed.page import Section, page, paragraph, table
>>> html = page("Audit", [Section("Copies", [paragraph("a < b"), table(["split", "copies"], [["train", 3]])])])
>>> "a &lt; b" in html, 'id="copies"' in html
(True, True)
"""

from ferembed.page.document import (
    Section,
    columns,
    fold,
    heading,
    join,
    note,
    page,
    paragraph,
    row,
    slug,
    table,
    write_page,
)
from ferembed.page.faces import FaceSheet, face_map
from ferembed.page.pictures import figure, image_uri

__all__ = [
    "FaceSheet",
    "Section",
    "columns",
    "face_map",
    "figure",
    "fold",
    "heading",
    "image_uri",
    "join",
    "note",
    "page",
    "paragraph",
    "row",
    "slug",
    "table",
    "write_page",
]
