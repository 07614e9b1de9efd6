"""Colours, letters and spaces of the page."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any

import gradio as gr

from ferembed.page.style import DARK, LIGHT

LETTERS = ["system-ui", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif"]

HEAD = '<meta name="color-scheme" content="light dark"><meta name="robots" content="noindex">'

_ROLES = {
    "ground": [
        "button_primary_text_color",
        "body_background_fill",
        "background_fill_primary",
        "block_background_fill",
        "input_background_fill",
    ],
    "raised": [
        "background_fill_secondary",
        "button_secondary_background_fill",
        "block_label_background_fill",
        "checkbox_label_background_fill",
    ],
    "ink": [
        "body_text_color",
        "button_secondary_text_color",
        "checkbox_label_text_color",
        "block_title_text_color",
    ],
    "soft": ["body_text_color_subdued", "block_info_text_color", "block_label_text_color"],
    "line": ["border_color_primary", "block_border_color", "input_border_color", "button_secondary_border_color"],
    "link": [
        "button_primary_background_fill",
        "link_text_color",
        "color_accent",
        "slider_color",
        "border_color_accent",
        "input_border_color_focus",
    ],
}
"""Which of gradio's colours are which of the house's."""


def css() -> str:
    """The style of what is the page's own, with the house's colours as variables."""
    rules = resources.files("ferembed.app").joinpath("page.css").read_text(encoding="utf-8")
    return f":root {{ {_variables(LIGHT)} }}\n.dark {{ {_variables(DARK)} }}\n{rules}"


def theme() -> Any:
    """Gradio's plainest look in the house's colours, with letters of this computer."""
    made = gr.themes.Base(font=LETTERS, font_mono=["ui-monospace", "monospace"], radius_size="md")
    light = {role: LIGHT[tone] for tone, roles in _ROLES.items() for role in roles}
    dark = {f"{role}_dark": DARK[tone] for tone, roles in _ROLES.items() for role in roles}
    plain = {
        "button_large_text_weight": "500",
        "button_large_text_size": "*text_md",
        "button_large_padding": "*spacing_md",
        "input_border_width": "1px",
    }
    return made.set(**plain, **light, **{name: value for name, value in dark.items() if hasattr(made, name)})


def _variables(colours: Mapping[str, str]) -> str:
    return " ".join(f"--house-{name}: {colour};" for name, colour in colours.items())
