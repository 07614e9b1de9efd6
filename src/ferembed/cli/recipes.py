"""``ferembed recipes``: the recipes that ship."""

from __future__ import annotations

from typing import Annotated

import typer

Name = Annotated[str | None, typer.Argument(help="Show every field of this one, as YAML.", show_default=False)]


def command(name: Name = None) -> None:
    """List the recipes, or show one in full."""
    from ferembed.cli.console import show
    from ferembed.cli.tables import recipes_table
    from ferembed.training import Recipe, recipe_names

    if name is None:
        show(recipes_table({each: Recipe.named(each) for each in recipe_names()}))
    else:
        print(Recipe.named(name).to_yaml(), end="")
