"""The tabs of the page: each lays out its parts and says what is asked when one of them is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import gradio as gr

from ferembed.app import fragments
from ferembed.app.asking import Asking, Changes, Place
from ferembed.app.sessions import MOST_ENROLLED, Answer, Session
from ferembed.app.uploads import taken

PORTRAIT = "portrait.jpg"
"""Eileen Collins, astronaut (NASA, public domain)."""

ALL = 100
"""The error in percent at which each face is named."""

Upload = Mapping[str, Any]


class PhotoTab:
    """One photo: its faces, and of the chosen one the probabilities, nearest gallery faces and occlusion map."""

    def __init__(self, ask: Asking) -> None:
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                self.place = Place("photo", "A photo")
                portrait = gr.Button("Try it on a portrait", elem_id="portrait")
                self.error = gr.Slider(
                    5,
                    ALL,
                    ALL,
                    step=5,
                    label="Say “unknown” rather than be wrong too often",
                    info=f"Wrong at most so many times in a hundred. At {ALL} each face is named.",
                    buttons=[],
                    elem_id="error",
                )
            with gr.Column(scale=3, min_width=300):
                self.place.render()
                self.details = gr.HTML(elem_id="details")
                self.button = gr.Button("Show where it looks", visible=False, elem_id="explain")
                self.map = gr.HTML(elem_id="occlusion")
        self.outputs = [*self.place.parts, self.details, self.button, self.map]
        self._listen(ask, portrait)

    def _listen(self, ask: Asking, portrait: Any) -> None:
        place, outputs = self.place, self.outputs
        drawn = {"show_progress_on": place.picture}
        ask.when(
            place.drop.input, self.look, [place.drop, self.error], outputs, self.without, preprocess=False, **drawn
        )
        ask.when(portrait.click, self.look_at_portrait, [self.error], outputs, self.without, **drawn)
        ask.when(
            self.error.change,
            self.look_again,
            [self.error],
            outputs,
            self.without,
            trigger_mode="always_last",
            show_progress="hidden",
        )
        ask.when(place.chosen.input, self.choose, [place.chosen], outputs, self.without, show_progress="hidden")
        ask.when(self.button.click, self.explain, [place.chosen], [self.map], self.without_map)

    def look(self, session: Session, upload: Upload | None, percent: float) -> Changes:
        if upload is None:
            return {self.place.drop: None}
        return self.shown(session.look(self.place.name, taken(upload), _share(percent)))

    def look_at_portrait(self, session: Session, percent: float) -> Changes:
        photo = resources.files("ferembed.cli").joinpath(PORTRAIT).read_bytes()
        return self.shown(session.look(self.place.name, photo, _share(percent)))

    def look_again(self, session: Session, percent: float) -> Changes:
        if self.place.name not in session.answers:
            return {self.place.drop: None}
        return self.shown(session.look_again(self.place.name, _share(percent)))

    def choose(self, session: Session, number: int | None) -> Changes:
        return self.shown(session.answer(self.place.name), number or 0)

    def explain(self, session: Session, number: int | None) -> Changes:
        return {self.map: fragments.occlusion(session.explain(self.place.name, number or 0))}

    def shown(self, answer: Answer, number: int = 0) -> Changes:
        faces = answer.faces
        words = fragments.details(faces[number], answer.classes) if faces else ""
        rest = {self.details: words, self.button: gr.update(visible=bool(faces)), self.map: ""}
        return {**self.place.shown(answer, number), **rest}

    def without(self, sentence: str) -> Changes:
        rest = {self.details: "", self.button: gr.update(visible=False), self.map: ""}
        return {**self.place.without(sentence), **rest}

    def without_map(self, sentence: str) -> Changes:
        return {self.map: fragments.say(sentence)}


class PairTab:
    """Two photos: how similar a face of each is to the other, and which parts make them so."""

    def __init__(self, ask: Asking) -> None:
        self.places = []
        with gr.Row():
            for name, label in (("one", "One photo"), ("other", "Another photo")):
                with gr.Column(min_width=300):
                    place = Place(name, label)
                    place.render()
                    self.places.append(place)
        self.similarity = gr.HTML(elem_id="similarity")
        self.button = gr.Button("Show what makes them similar", visible=False, elem_id="explain-pair")
        self.map = gr.HTML(elem_id="similar-parts")
        for place in self.places:
            self._listen(ask, place)
        chosen = [place.chosen for place in self.places]
        ask.when(self.button.click, self.explain, chosen, [self.map], self.without_map)

    def _listen(self, ask: Asking, place: Place) -> None:
        answers = [self.similarity, self.button, self.map]
        chosen = [each.chosen for each in self.places]

        def look(session: Session, upload: Upload | None) -> Changes:
            if upload is None:
                return {place.drop: None}
            return place.shown(session.look(place.name, taken(upload)))

        looked = ask.when(
            place.drop.input,
            look,
            [place.drop],
            place.parts,
            place.without,
            preprocess=False,
            show_progress_on=place.picture,
        )
        ask.when(looked.then, self.compare, chosen, answers, self.without, show_progress="hidden")
        ask.when(place.chosen.input, self.compare, chosen, answers, self.without, show_progress="hidden")

    def compare(self, session: Session, *numbers: int | None) -> Changes:
        both = all(place.name in session.answers and session.answers[place.name].faces for place in self.places)
        if not both:
            return self.without("")
        cosine = session.similarity(*self._faces(session, numbers))
        return {self.similarity: fragments.similarity(cosine), self.button: gr.update(visible=True), self.map: ""}

    def explain(self, session: Session, *numbers: int | None) -> Changes:
        return {self.map: fragments.similar_parts(session.explain_similarity(*self._faces(session, numbers)))}

    def without(self, sentence: str) -> Changes:
        told = fragments.say(sentence) if sentence else ""
        return {self.similarity: told, self.button: gr.update(visible=False), self.map: ""}

    def without_map(self, sentence: str) -> Changes:
        return {self.map: fragments.say(sentence)}

    def _faces(self, session: Session, numbers: Sequence[int | None]) -> Any:
        return [session.face(place.name, number or 0) for place, number in zip(self.places, numbers, strict=True)]


class EnrolTab:
    """A new expression from a few photos, known in this browser tab until it is forgotten or the tab closed."""

    def __init__(self, ask: Asking, photo: PhotoTab) -> None:
        self.photo = photo
        gr.Markdown(
            "Teach it an expression from a few photos of faces that show it: two at least, a dozen are good. It is "
            "then one of the answers in the tab “Photo”, in this browser tab alone and until it is closed."
        )
        with gr.Row():
            with gr.Column(min_width=300):
                self.drop = gr.File(
                    label=f"Drop or choose photos, {MOST_ENROLLED} at most",
                    file_count="multiple",
                    file_types=["image"],
                    height=180,
                    elem_id="enrol-drop",
                )
                self.name = gr.Textbox(
                    label="Name of the expression", placeholder="wink", max_length=40, elem_id="enrol-name"
                )
                with gr.Row():
                    enrol = gr.Button("Enrol", variant="primary", elem_id="enrol")
                    forget = gr.Button("Forget what was enrolled", elem_id="forget")
            with gr.Column(min_width=300):
                self.offered, self.told = (
                    gr.HTML(elem_id="enrol-faces"),
                    gr.HTML(elem_id="enrol-told"),
                )
        outputs = [self.drop, self.offered, self.told]
        ask.when(self.drop.upload, self.offer, [self.drop], outputs, self.without, preprocess=False)
        for button, question in ((enrol, self.enrol), (forget, self.forget)):
            done = ask.when(button.click, question, [self.name], outputs, self.without)
            ask.when(done.then, photo.look_again, [photo.error], photo.outputs, photo.without, show_progress="hidden")

    def offer(self, session: Session, uploads: Sequence[Upload] | None) -> Changes:
        wrong = session.offer([taken(upload) for upload in uploads or ()])
        return {self.drop: None, self.offered: fragments.crops(session.offered, wrong), self.told: ""}

    def enrol(self, session: Session, name: str) -> Changes:
        count = session.enrol(name)
        known = ", ".join(session.recognizer.classes_.tolist())
        sentence = f"Enrolled from {count} faces. Known now: {known}. Try it in the tab “Photo”."
        return {self.offered: "", self.told: fragments.say(sentence)}

    def forget(self, session: Session, _: str) -> Changes:
        session.forget()
        known = ", ".join(session.recognizer.classes_.tolist())
        return {self.offered: "", self.told: fragments.say(f"Forgotten. Known now: {known}.")}

    def without(self, sentence: str) -> Changes:
        return {self.drop: None, self.told: fragments.say(sentence)}


def _share(percent: float) -> float | None:
    """The largest error as a share; None where each face is named."""
    return None if percent >= ALL else percent / 100
