"""The trained recognisers that come with the library, or those of one's own, by name or path."""

from __future__ import annotations

import os
from pathlib import Path

from ferembed.models.engines import EngineName
from ferembed.models.weights import CARD, FILE, shipped_names
from ferembed.recognizer.packed import read_packed
from ferembed.recognizer.recognizer import Recognizer
from ferembed.storage import StorageError

__all__ = ["card", "load", "shipped_names"]


def load(name: str | os.PathLike[str] = "small", *, engine: EngineName = "auto") -> Recognizer:
    """A recogniser that comes with the library, or one of your own.

    Parameters
    ----------
    name : str or path
        ``"small"`` for the seven expressions of FER2013, ``"ferplus"`` for the eight of FER+, which adds contempt; or
        else the folder of a run or of a saved recogniser, or an exported file. A folder that is named as a shipped
        recogniser is reached as ``./NAME``.
    engine : {"auto", "onnx", "int8", "torch"}
        As for :meth:`Recognizer.load`.

    Raises
    ------
    StorageError
        If there is neither (the sentence lists the names), or a file is missing, truncated or altered.

    See Also
    --------
    Recognizer.load : Your own alone.

    Examples
    --------
    >>> load().classes_.tolist()
    ['angry', 'disgust', 'fear', 'happy', 'sad', 'surprise', 'neutral']
    """
    if isinstance(name, str) and name in shipped_names():
        return Recognizer.later(*read_packed(FILE, name, engine))
    if not Path(name).exists():
        names = ", ".join(shipped_names())
        raise StorageError(f"there is no run or file {name}; the recognisers that come with ferembed are {names}.")
    return Recognizer.load(name, engine=engine)


def card() -> str:
    """The model card of what ships, in Markdown: what made it, what it can do, and what it is not for."""
    return CARD.read_text(encoding="utf-8")
