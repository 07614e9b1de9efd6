"""Recipes as text: YAML read and written, fields changed by dotted names, errors that name file, line and field."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from ferembed.training.errors import RecipeError

_EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")

_WORDS = {
    "int_type": "input should be a whole number",
    "float_type": "input should be a number",
    "bool_type": "input should be true or false",
    "string_type": "input should be text",
    "tuple_type": "input should be a list",
    "dict_type": "input should be a mapping",
    "model_type": "input should be a mapping of fields",
    "model_attributes_type": "input should be a mapping of fields",
}


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                message = f"{key.value!r} stands twice in one mapping"
                raise yaml.constructor.ConstructorError(None, None, message, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    pass


for _each in (_Loader, _Dumper):
    _each.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+0123456789"))


def load_yaml(text: str, source: str) -> Any:
    """The plain values of a YAML text.

    Raises
    ------
    ValueError
        If it is none: one sentence with the source and, where it is known, the line.
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ValueError(f"{source}{line}: not valid YAML: {error.problem}.") from error
    except yaml.reader.ReaderError as error:
        raise ValueError(f"{source}: not valid YAML: {error.reason}.") from error
    except (ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"{source}: not valid YAML: {error}.") from error


def dump_yaml(value: Any) -> str:
    """Plain values as YAML that :func:`load_yaml` reads back."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def wrong(field: str, message: str) -> PydanticCustomError:
    """What a validator raises to name a field, dotted and as it is seen from where the validator stands."""
    return PydanticCustomError("recipe", "{message}", {"message": message, "field": field})


def explain(error: ValidationError, values: Any, text: str = "", source: str = "the recipe") -> str:
    """One sentence for each field of ``values`` that failed, with its line in ``text`` where it stands there."""
    root = yaml.compose(text) if text else None
    problems = error.errors()
    return "\n".join(_sentence(each, values, root, source) for each in problems if not _follows(each, problems))


def _follows(problem: Any, problems: Sequence[Any]) -> bool:
    """Whether a list is only too short because items of it, of which others speak, are wrong."""
    place = problem["loc"]
    within = any(each["loc"][: len(place)] == place for each in problems if len(each["loc"]) > len(place))
    return bool(problem["type"] == "too_short" and within)


def _sentence(problem: Any, values: Any, root: yaml.Node | None, source: str) -> str:
    named = problem["type"] == "recipe"
    path, line = _locate(values, root, (*problem["loc"], *(problem["ctx"]["field"].split(".") if named else ())))
    where = f"{source}, line {line}" if line else source
    if problem["type"] == "extra_forbidden":
        return f"{where}: there is no field {path!r}."
    message = _WORDS.get(problem["type"], problem["msg"].removeprefix("Value error, "))
    given = problem["input"]
    shown = "" if named or isinstance(given, dict | list) or problem["type"] == "missing" else f" (got {given!r})"
    sentence = f"{where}: {path or 'recipe'}: {message[:1].lower() + message[1:].rstrip('.')}{shown}"
    return sentence if sentence.endswith("?") else f"{sentence}."


def _locate(values: Any, root: yaml.Node | None, loc: Sequence[Any]) -> tuple[str, int | None]:
    """The dotted field and the 1-based line of a location; parts that pydantic adds for unions are left out."""
    node, names, line = root, [], None
    for place, part in enumerate(loc, start=1):
        inside, value = _item(values, part)
        tag = isinstance(values, dict) and values.get("name") == part
        if not inside and (tag or place < len(loc)):
            continue
        names.append(str(part))
        values, child = value, _child(node, part)
        if child is not None:
            node, line = child[1], child[0].start_mark.line + 1
    return ".".join(names), line


def _item(values: Any, part: Any) -> tuple[bool, Any]:
    if isinstance(values, dict):
        return part in values, values.get(part)
    if isinstance(values, list | tuple) and str(part).isdigit() and int(part) < len(values):
        return True, values[int(part)]
    return False, None


def _child(node: yaml.Node | None, part: Any) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and str(part).isdigit() and int(part) < len(node.value):
        return node.value[int(part)], node.value[int(part)]
    return None


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
