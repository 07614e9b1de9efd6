"""From the names that folders and tables use to the house's names of classes and splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from ferembed.labels import canonical, ordered

ClassNames: TypeAlias = Mapping[str, str] | Sequence[str] | None

_SPLITS: dict[str, str] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "dev": "validation",
    "eval": "validation",
    "valid": "validation",
    "validation": "validation",
    "publictest": "validation",
    "test": "test",
    "testing": "test",
    "privatetest": "test",
}

USAGES: tuple[str, ...] = ("Training", "PublicTest", "PrivateTest")
"""FER2013's own names of the splits ``train``, ``validation`` and ``test``."""

SPLIT_NAMES: tuple[str, ...] = tuple(_SPLITS)
"""Every name of a split that is understood, in lower case."""


def split_name(name: str) -> str | None:
    """The house's name of a split, or None where the name is not one of a split."""
    return _SPLITS.get(name.strip().lower())


def class_name(name: str, classes: ClassNames) -> str | None:
    """The class a name stands for, or None where ``classes`` are given and do not know it."""
    if classes is None:
        return canonical(name)
    if isinstance(classes, Mapping):
        known = {canonical(str(key)): canonical(value) for key, value in classes.items()}
    else:
        known = {canonical(value): canonical(value) for value in classes}
    return known.get(canonical(name))


def class_order(found: Sequence[str], classes: ClassNames) -> tuple[str, ...]:
    """All class names in their order: that of a list, else the standard one."""
    if classes is None:
        return ordered(found)
    if isinstance(classes, Mapping):
        return ordered([canonical(value) for value in classes.values()])
    return tuple(canonical(value) for value in classes)


def known_names(classes: ClassNames) -> str:
    """The names ``classes`` know, as an error lists them."""
    return ", ".join(str(name) for name in classes or ())
