"""A picture of points, each of which shows its face when it is pointed at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files

import numpy as np
from markupsafe import Markup
from numpy.typing import ArrayLike

from ferembed.page.faces import FaceSheet

_MAP = Markup("""<div class="map" tabindex="0" role="group" aria-label="{hint}">
{picture}
<div class="chosen {sheet}" aria-live="polite"><i hidden></i><span>{hint}</span></div>
<script type="application/json">{data}</script>
<script>{script}</script>
</div>""")


def face_map(picture: Markup, places: ArrayLike, sheet: FaceSheet, captions: Sequence[str]) -> Markup:
    """A picture whose points show their face and its caption.

    The nearest point is chosen by the mouse, by a touch or, where the map has the focus, by the arrow keys.

    Parameters
    ----------
    picture : Markup
        What :func:`~ferembed.page.pictures.figure` gives.
    places : array-like of float, shape (n, 2)
        Shares of the picture's width from its left and of its height from its top.
    sheet : FaceSheet
        Its face of each number belongs to the place of that number; put its style on the page, too.
    captions : sequence of n str
    """
    rounded = [[round(share, 5) for share in place] for place in np.asarray(places, dtype=np.float64).tolist()]
    data = {"places": rounded, "captions": list(captions), "columns": sheet.columns, "side": sheet.SHOWN}
    script = files("ferembed.page").joinpath("map.js").read_text(encoding="utf-8")
    return _MAP.format(
        hint="Point at a face to see it, or choose one by the arrow keys.",
        picture=picture,
        sheet=f"sheet-{sheet.name}",
        data=Markup(json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")),
        script=Markup(script),
    )
