"""Changes of single fields of a recipe, by their dotted names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ferembed.training.yaml_errors import RecipeError
from ferembed.training.yaml_text import load_yaml


def changed(values: dict[str, Any], changes: Mapping[str, Any] | Iterable[str]) -> dict[str, Any]:
    """Change nested values in place, as :meth:`Recipe.override` takes the changes, and return them."""
    for key, value in _pairs(changes):
        _assign(values, key, _read(key, value) if isinstance(value, str) else value)
    return values


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested values by their dotted names."""
    if isinstance(value, dict):
        items: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        return {prefix: value}
    found: dict[str, Any] = {}
    for key, item in items:
        found |= flat(item, f"{prefix}.{key}" if prefix else str(key))
    return found


def _read(key: str, text: str) -> Any:
    try:
        return load_yaml(text, f"{key}={text}")
    except ValueError as error:
        raise RecipeError(str(error)) from error


def _pairs(changes: Mapping[str, Any] | Iterable[str]) -> Iterable[tuple[str, Any]]:
    if isinstance(changes, Mapping):
        return [(str(key), value) for key, value in changes.items()]
    given = [changes] if isinstance(changes, str) or not isinstance(changes, Iterable) else changes
    pairs = [str(change).partition("=") for change in given]
    for key, equals, value in pairs:
        if not equals or not key:
            raise RecipeError(
                f"an override reads field=value, such as optimizer.lr=0.05, not {key + equals + value!r}."
            )
    return [(key.strip(), value) for key, _, value in pairs]


def _assign(values: Any, dotted: str, value: Any) -> None:
    *parents, last = dotted.split(".")
    place = values
    for name in parents:
        place = place[_key(place, name, dotted)]
    place[_key(place, last, dotted, new=isinstance(place, dict))] = value


def _key(place: Any, name: str, dotted: str, *, new: bool = False) -> Any:
    if isinstance(place, list) and name.isdigit() and int(name) < len(place):
        return int(name)
    if isinstance(place, dict) and (name in place or new):
        return name
    have = range(len(place)) if isinstance(place, list) else place if isinstance(place, dict) else ()
    raise RecipeError(
        f"a recipe has no field {dotted!r}: at {name!r} there is {', '.join(map(str, have)) or 'a value'}."
    )
