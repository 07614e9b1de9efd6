"""Answers as pieces of HTML: the photo, bars, neighbours, maps and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from ferembed.labels import COLOURS, ON_DARK, colours_of
from ferembed.page.blocks import image_uri, join

if TYPE_CHECKING:
    from ferembed.app.sessions import Answer
    from ferembed.explain import Saliency, SimilaritySaliency
    from ferembed.recognizer.photos import Face

SHOWN = 1280
"""Pixels along the longer side of a photo that is shown."""

MAP_SIDE = 192
"""Pixels along the side of a map that is shown."""

NO_FACE = (
    "No face found. What helps: a face that looks at the camera, is upright and well lit, and is not covered; "
    "and one that is larger in the photo, a tenth of its height at least."
)


def say(sentence: str) -> Markup:
    """A sentence in the place of an answer, read out when it comes."""
    return Markup('<p class="say" role="status">{}</p>').format(sentence)


def photo(answer: Answer) -> Markup:
    """The photo with its faces marked, and a sentence where there is none."""
    from PIL import Image

    from ferembed.faces.drawing import draw_faces

    shown = Image.fromarray(answer.pixels)
    if answer.faces:
        shown = draw_faces(answer.pixels, answer.faces, answer.classes)
    shown.thumbnail((SHOWN, SHOWN))
    named = ", ".join(f"face {number}: {face.label}" for number, face in enumerate(answer.faces, 1))
    picture = Markup('<img class="photo" src="{}" alt="{}">').format(
        image_uri(np.asarray(shown)), f"The photo with its faces marked. {named}" if named else "The photo"
    )
    return picture if answer.faces else join([say(NO_FACE), picture])


def details(face: Face, classes: Sequence[str]) -> Markup:
    """What a face is called, bars of all its probabilities, and its nearest gallery faces."""
    sure = Markup('<h3 class="answer">{}</h3>').format(face.label)
    return join([sure, _bars(face.probabilities, classes), _nearest(face, classes)])


def _bars(probabilities: NDArray[np.float64], classes: Sequence[str]) -> Markup:
    row = Markup('<tr><th scope="row">{}</th><td class="bar"><i style="{};width:{:.1f}%"></i></td><td>{:.1%}</td></tr>')
    rows = [
        row.format(name, colour, 100 * share, share)
        for name, colour, share in zip(classes, _colours(classes).values(), probabilities, strict=True)
    ]
    return Markup('<table class="bars"><caption>Probability of each expression</caption>{}</table>').format(join(rows))


def _nearest(face: Face, classes: Sequence[str]) -> Markup:
    colours, row = _colours(classes), Markup('<li><i style="{}"></i>{}<span>{:.3f}</span></li>')
    near = zip(face.nearest.labels.tolist(), face.nearest.similarities.tolist(), strict=True)
    items = [row.format(colours[label], label, similarity) for label, similarity in near]
    return Markup(
        '<section class="nearest"><h4>Most similar faces it learnt from</h4><ol>{}</ol>'
        "<p>Their labels, and the cosine of the angle between the embeddings: 1 is the same face.</p></section>"
    ).format(join(items))


def _colours(classes: Sequence[str]) -> dict[str, str]:
    """CSS that gives a class its colour on a light and on a dark page."""
    both = zip(classes, colours_of(classes, COLOURS), colours_of(classes, ON_DARK), strict=True)
    return {name: f"--light:{light};--dark:{dark}" for name, light, dark in both}


def occlusion(saliency: Saliency) -> Markup:
    """What the network saw of a face, the map of its class, and the map over the face."""
    told = (
        f"The lighter a place, the less probable “{saliency.target[0]}” ({saliency.probability[0]:.0%}) is where it is "
        f"covered. The map shows what this network used, not what an expression is."
    )
    return join([_maps(saliency.images[0], saliency.maps[0], saliency.method), _note(told)])


def similarity(cosine: float) -> Markup:
    """The similarity of two faces."""
    return Markup('<p class="similarity" role="status"><b>{:.3f}</b> {}</p>').format(
        cosine,
        "is how similar the network finds the two faces: the cosine of the angle between their embeddings. 1 is the "
        "same face, 0 as unlike as two arrows at a right angle.",
    )


def similar_parts(pairs: SimilaritySaliency) -> Markup:
    """Of each of two faces what makes it similar to the other."""
    told = "The lighter a place, the less similar the two faces are where it is covered."
    one = _maps(pairs.images_a[0], pairs.maps_a[0], pairs.method)
    other = _maps(pairs.images_b[0], pairs.maps_b[0], pairs.method)
    return join([one, other, _note(told)])


def crops(faces: Sequence[NDArray[np.uint8]], wrong: Sequence[str]) -> Markup:
    """Faces that may be enrolled, and what is wrong with the other photos."""
    pictures = [_image(face, f"Face {number}") for number, face in enumerate(faces, 1)]
    found = f"{len(faces)} {'face' if len(faces) == 1 else 'faces'} found." if faces else "No face found."
    shown = Markup('<div class="crops">{}</div>').format(join(pictures))
    return join([say(found), shown, *map(say, wrong)])


def _maps(face: NDArray[np.float32], values: NDArray[np.float32], method: str) -> Markup:
    from ferembed.explain.plots import triptych

    captions = "What the network sees", "The map", "Both"
    figure = Markup("<figure>{}<figcaption>{}</figcaption></figure>")
    tiles = zip(triptych(face, values, method, signed=False), captions, strict=True)
    shown = [figure.format(_tile(tile, caption), caption) for tile, caption in tiles if tile is not None]
    return Markup('<div class="maps">{}</div>').format(join(shown))


def _tile(tile: Any, caption: str) -> Markup:
    if isinstance(tile, str):
        return say(tile)
    return _image(np.rint(255 * np.clip(tile, 0, 1)).astype(np.uint8), caption)


def _image(pixels: NDArray[np.uint8], name: str) -> Markup:
    """A square picture at the side of a map."""
    from PIL import Image

    shown = Image.fromarray(pixels).resize((MAP_SIDE, MAP_SIDE), Image.Resampling.BICUBIC)
    return Markup('<img src="{}" alt="{}">').format(image_uri(np.asarray(shown)), name)


def _note(text: str) -> Markup:
    return Markup('<p class="note">{}</p>').format(text)
