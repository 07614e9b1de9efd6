"""The trained recognisers that come with the library; each has a card beside its file."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import Final

from ferembed.recognizer import Recognizer
from ferembed.storage import StorageError

_FOLDER: Final = resources.files("ferembed.shipped")


def shipped_names() -> tuple[str, ...]:
    """Names of the recognisers that come with the library, sorted.

    >>> "small" in shipped_names()
    True
    """
    suffix = ".safetensors"
    return tuple(sorted(f.name.removesuffix(suffix) for f in _FOLDER.iterdir() if f.name.endswith(suffix)))


def load(name: str | os.PathLike[str] = "small") -> Recognizer:
    """A recogniser that comes with the library, or one of your own.

    Parameters
    ----------
    name : str or path
        One of :func:`shipped_names`, or else the folder of a run or of a saved recogniser, or an exported file. A
        folder that is named as a shipped recogniser is reached as ``./NAME``.

    Raises
    ------
    StorageError
        If there is neither (the sentence lists the names), or a file is missing, truncated or altered.

    Examples
    --------
    >>> load().classes_.tolist()
    ['angry', 'disgust', 'fear', 'happy', 'sad', 'surprise', 'neutral']
    """
    if isinstance(name, str) and name in shipped_names():
        with resources.as_file(_FOLDER / f"{name}.safetensors") as file:
            return Recognizer.load(file)
    if not Path(name).exists():
        names = ", ".join(shipped_names())
        raise StorageError(f"there is no run or file {name}; the recognisers that come with ferembed are {names}.")
    return Recognizer.load(name)


def card(name: str = "small") -> str:
    """The model card of a shipped recogniser, in Markdown: what made it, what it can do, and what it is not for."""
    if name not in shipped_names():
        raise StorageError(f"there is no card of {name}; there are {', '.join(shipped_names())}.")
    return (_FOLDER / f"{name}.md").read_text(encoding="utf-8")
