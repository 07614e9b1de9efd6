"""Training: the recipe, and what runs it. Lightning is imported only where a run begins."""

from ferembed.training.errors import CollapseWarning, TrainingError
from ferembed.training.recipe import Recipe, recipe_names
from ferembed.training.yaml_errors import RecipeError

__all__ = ["CollapseWarning", "Recipe", "RecipeError", "TrainingError", "recipe_names"]
