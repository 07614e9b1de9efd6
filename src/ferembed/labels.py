"""Emotion vocabularies: names, order, colours, and the maps between them."""

from __future__ import annotations

import colorsys
import unicodedata
from collections.abc import Mapping, Sequence

FER2013_CLASSES: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""The seven classes of FER2013, in the order of its integer codes (Goodfellow et al. 2013)."""

FERPLUS_CLASSES: tuple[str, ...] = (
    "neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt",
)  # fmt: skip
"""The eight emotions of FER+, in the order of its vote columns (Barsoum et al. 2016)."""

COLOURS: dict[str, str] = {
    "angry": "#D55E00",
    "disgust": "#009E73",
    "fear": "#CC79A7",
    "happy": "#F0E442",
    "sad": "#0072B2",
    "surprise": "#56B4E9",
    "neutral": "#5F5F5F",
    "contempt": "#E69F00",
}
"""One colour an emotion, from the colour-blind-safe palette of Okabe and Ito (2008), with a grey dark enough to keep
away from its green where red and green look alike."""

ON_DARK: dict[str, str] = {**COLOURS, "neutral": "#D0D0D0"}
"""The same on a dark ground: the grey is light, and as far from the others for every eye."""

DEPTHS = ((0.8, 1.0), (0.4, 0.95), (0.7, 0.75))
"""Saturation and brightness of the hues of classes that the palette has no colours for: seen on a dark ground."""

_SYNONYMS: dict[str, str] = {
    "anger": "angry",
    "contemptuous": "contempt",
    "disgusted": "disgust",
    "fearful": "fear",
    "afraid": "fear",
    "happiness": "happy",
    "joy": "happy",
    "sadness": "sad",
    "surprised": "surprise",
    "suprise": "surprise",
}


def canonical(name: str) -> str:
    """The house name of an emotion: lower case, single spaces, composed letters, the usual synonyms folded together.

    Every other name is returned in the same spelling; bytes that are no UTF-8, as a file name may hold, are written as
    escapes.

    Examples
    --------
    >>> canonical("Happiness"), canonical(" anger"), canonical("In  Love"), canonical("cafe\u0301") == "caf\u00e9"
    ('happy', 'angry', 'in love', True)
    """
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    key = unicodedata.normalize("NFC", " ".join(text.split()).lower())
    return _SYNONYMS.get(key, key)


def place_of(name: str, classes: Sequence[str]) -> int | None:
    """Where the class that a name means stands in a list, however both are spelled; None where it does not.

    Examples
    --------
    >>> place_of("Happiness", ["sad", "Happy"]), place_of("bored", ["sad", "Happy"])
    (1, None)
    """
    if name in classes:
        return list(classes).index(name)
    return next((place for place, known in enumerate(classes) if canonical(known) == canonical(name)), None)


def same_class(names: Sequence[str]) -> tuple[str, str] | None:
    """The first two names that mean one class, where there are such."""
    seen: dict[str, str] = {}
    for name in names:
        if canonical(name) in seen:
            return seen[canonical(name)], name
        seen[canonical(name)] = name
    return None


def ordered(names: Sequence[str]) -> tuple[str, ...]:
    """Distinct class names in their standard order.

    Names that all belong to FER2013, or all to FER+, take that vocabulary's order; any other set is sorted.

    Examples
    --------
    >>> ordered(["neutral", "angry", "happy"])
    ('angry', 'happy', 'neutral')
    """
    distinct = set(names)
    for vocabulary in (FER2013_CLASSES, FERPLUS_CLASSES):
        if distinct <= set(vocabulary):
            return tuple(name for name in vocabulary if name in distinct)
    return tuple(sorted(distinct))


def colours_of(
    classes: Sequence[object],
    palette: Mapping[str, str] = COLOURS,
    depths: Sequence[tuple[float, float]] = DEPTHS,
) -> list[str]:
    """One colour a class, as ``#RRGGBB``: the emotion's own, or the next of the palette that no class of these owns.

    Where the palette is too small, the others have hues all around the circle, in three depths.

    Parameters
    ----------
    classes : sequence of str
    palette : mapping of str to str
        The colour of each emotion.
    depths : sequence of three pairs
        Saturation and brightness of the hues, from 0 to 1.

    Examples
    --------
    >>> colours_of(["Happiness", "wink"])
    ['#F0E442', '#D55E00']
    """
    names = [canonical(str(name)) for name in classes]
    spare = [colour for name, colour in palette.items() if name not in names]
    strangers = [name for name in names if name not in palette]
    if (count := len(strangers)) > len(spare):
        hues = (colorsys.hsv_to_rgb(place / count, *depths[place % 3]) for place in range(count))
        spare = ["#{:02x}{:02x}{:02x}".format(*(round(255 * part) for part in hue)) for hue in hues]
    return [palette.get(name) or spare[strangers.index(name)] for name in names]
