"""The whole page: what it is, its three tabs, and what it is not for."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

import gradio as gr

from ferembed.app.asking import Asking
from ferembed.app.sessions import Sessions
from ferembed.app.tabs import EnrolTab, PairTab, PhotoTab

if TYPE_CHECKING:
    from ferembed.recognizer import Recognizer

STALE = 120
"""Seconds after which an upload that nobody asked about is deleted."""

LEAD = """# Facial expressions
Give a photo and see which expressions a network reads in its faces, how sure it is, and why. Photos stay on this
computer: they are held in memory while this tab is open, kept nowhere else, and sent nowhere."""

NOT_FOR = """**What it is not for:** judging inner states, health, truthfulness or fitness, or any decision about a
person. A face shows an expression, not a feeling, and the same expression means different things in different people
and places. What was measured of it, and where it fails, stands in its card: `ferembed card`."""


def build(recognizer: Recognizer, turn: Lock) -> Any:
    """The page as gradio's Blocks, to be launched; it holds ``turn`` while it answers a question."""
    ask = Asking(Sessions(recognizer), turn)
    with gr.Blocks(title="Facial expressions", analytics_enabled=False, delete_cache=(STALE, STALE)) as page:
        gr.Markdown(LEAD, elem_classes="lead")
        with gr.Tab("Photo"):
            photo = PhotoTab(ask)
        with gr.Tab("Two photos"):
            PairTab(ask)
        with gr.Tab("Enrol"):
            EnrolTab(ask, photo)
        gr.Markdown(NOT_FOR, elem_classes="lead")
        page.unload(ask.close)
    return page
