"""Training: the recipe, and what runs it. Lightning is imported only where a run begins."""

from ferembed.training.errors import CollapseWarning, RecipeError, TrainingError
from ferembed.training.recipe import Recipe, recipe_names

__all__ = ["CollapseWarning", "Recipe", "RecipeError", "TrainingError", "recipe_names"]
