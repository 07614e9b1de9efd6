"""Turns a failed validation of a recipe into sentences that name the file, the line and the field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml
from pydantic import ValidationError


class RecipeError(ValueError):
    """A recipe cannot be used as it is; the sentence says where and what would be right."""


def explain(error: ValidationError, text: str = "", source: str = "the recipe") -> str:
    """One sentence for each field that failed, with its line in ``text`` where it stands there."""
    root = yaml.compose(text) if text else None
    problems = error.errors()
    return "\n".join(_sentence(each, root, source) for each in problems if not _follows(each, problems))


def _follows(problem: Any, problems: Sequence[Any]) -> bool:
    """Whether a list is only too short because items of it, of which others speak, are wrong."""
    place = problem["loc"]
    within = any(each["loc"][: len(place)] == place for each in problems if len(each["loc"]) > len(place))
    return bool(problem["type"] == "too_short" and within)


def _sentence(problem: Any, root: yaml.Node | None, source: str) -> str:
    path, line = _locate(root, problem["loc"])
    where = f"{source}, line {line}" if line else source
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        return f"{where}: there is no field {path!r}."
    given = problem["input"]
    shown = "" if isinstance(given, dict | list) or problem["type"] == "missing" else f" (got {given!r})"
    sentence = f"{where}: {path or 'recipe'}: {message[:1].lower() + message[1:].rstrip('.')}{shown}"
    return sentence if sentence.endswith("?") else f"{sentence}."


def _locate(root: yaml.Node | None, loc: Sequence[Any]) -> tuple[str, int | None]:
    """The dotted field and the 1-based line of a location; parts that pydantic adds for unions are left out."""
    node, names, line = root, [], None
    for part in loc:
        child = _child(node, part)
        if node is not None and child is None and part != loc[-1]:
            continue
        names.append(str(part))
        if child is not None:
            node, line = child[1], child[0].start_mark.line + 1
    return ".".join(names), line


def _child(node: yaml.Node | None, part: Any) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None
