"""How parts of the page ask the session of their tab, and the part that takes a photo."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

import gradio as gr

from ferembed.app import fragments
from ferembed.app.sessions import Answer, Sessions

Changes = dict[Any, Any]
"""What becomes of parts of the page."""


class Asking:
    """Puts the questions of a page to its sessions, one at a time.

    Parameters
    ----------
    sessions : Sessions
    turn : Lock
        Held while a question is answered.
    """

    def __init__(self, sessions: Sessions, turn: Lock) -> None:
        self._sessions, self._turn = sessions, turn

    def when(
        self,
        event: Callable[..., Any],
        question: Callable[..., Changes],
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        wrong: Callable[[str], Changes],
        **options: Any,
    ) -> Any:
        """On an event, show what a question gives.

        Parameters
        ----------
        event : method of a component, such as ``button.click``
        question : callable
            ``question(session, *values)`` gives what becomes of the outputs.
        inputs, outputs : sequence of components
        wrong : callable
            What becomes of them where the question cannot be answered: takes the sentence that says why.
        **options
            Of the event.
        """

        def answer(request: gr.Request, *values: Any) -> Changes:
            with self._turn:
                session = self._sessions.of(str(request.session_hash))
                try:
                    session.count_question(time.monotonic())
                    return question(session, *values)
                except (ValueError, ImportError) as error:
                    return wrong(str(error))

        fixed = {"concurrency_id": "question", "concurrency_limit": 1, "api_visibility": "private"}
        return event(answer, list(inputs), list(outputs), **fixed, **options)

    def close(self, request: gr.Request) -> None:
        """Forget a tab that was closed."""
        self._sessions.close(str(request.session_hash))


class Place:
    """Where a photo is given: what takes it, the photo with its faces marked, and which face is meant.

    Parameters
    ----------
    name : str
        Its own on the page, and that under which a session remembers the photo.
    label : str
    """

    def __init__(self, name: str, label: str) -> None:
        self.name = name
        self.drop = gr.Image(
            label=label,
            sources=["upload", "webcam", "clipboard"],
            placeholder="Drop a photo here, or click to choose one",
            height=220,
            buttons=[],
            elem_id=f"{name}-drop",
        )
        self.picture = gr.HTML(elem_id=f"{name}-picture", render=False)
        self.chosen = gr.Radio(
            [], label="Face, from left to right", visible=False, elem_id=f"{name}-face", render=False
        )

    def render(self) -> None:
        """Put the photo and the choice of its face here."""
        self.picture.render()
        self.chosen.render()

    @property
    def parts(self) -> tuple[Any, ...]:
        return self.drop, self.picture, self.chosen

    def shown(self, answer: Answer, number: int = 0) -> Changes:
        """The photo and the choice; what took the photo is free for another."""
        choices = [(f"{place + 1} {face.label}", place) for place, face in enumerate(answer.faces)]
        value = number if choices else None
        chosen = gr.update(choices=choices, value=value, visible=len(choices) > 1)
        return {self.drop: None, self.picture: fragments.photo(answer), self.chosen: chosen}

    def without(self, sentence: str) -> Changes:
        """A sentence where the photo would be."""
        chosen = gr.update(choices=[], value=None, visible=False)
        return {self.drop: None, self.picture: fragments.say(sentence), self.chosen: chosen}
