"""What the page remembers of each browser tab, in memory and bounded: photos, faces, and what was enrolled."""

from __future__ import annotations

import copy
import math
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ferembed.data.errors import DataError

if TYPE_CHECKING:
    from ferembed.explain import Saliency, SimilaritySaliency
    from ferembed.faces import FoundFace
    from ferembed.faces.photos import Photo
    from ferembed.recognizer import Recognizer
    from ferembed.recognizer.photos import Face

MOST_SESSIONS = 16
"""Tabs that are remembered; the one asked longest ago is forgotten for another."""

MOST_QUESTIONS, PERIOD = 60, 60.0
"""Questions that a tab may ask in so many seconds."""

MOST_ENROLLED = 24
"""Photos that an expression is enrolled from at a time."""


class Answer(NamedTuple):
    """A photo and its faces."""

    pixels: NDArray[np.uint8]
    """RGB, shape (h, w, 3)."""
    faces: list[Face]
    """From left to right."""
    classes: list[str]
    """The order of their probabilities."""


class Session:
    """One tab: its photos by the place where they were given, its candidates for enrolment, its recogniser.

    The recogniser is the shared one until an expression is enrolled, which happens to a copy.
    """

    def __init__(self, shared: Recognizer) -> None:
        self._shared = self.recognizer = shared
        self._asked: deque[float] = deque(maxlen=MOST_QUESTIONS)
        self.answers: dict[str, Answer] = {}
        self.offered: list[NDArray[np.uint8]] = []

    def count_question(self, now: float) -> None:
        """Count a question at a time in seconds; DataError where there were too many shortly before."""
        if len(self._asked) == MOST_QUESTIONS and now - self._asked[0] < PERIOD:
            wait = math.ceil(PERIOD - (now - self._asked[0]))
            raise DataError(f"That were {MOST_QUESTIONS} questions in a minute: ask again in {wait} s.")
        self._asked.append(now)

    def look(self, place: str, photo: Photo, max_error: float | None = None) -> Answer:
        """The faces of a photo, which is remembered for a place of the page.

        Raises
        ------
        DataError
            If the photo cannot be read; the one that was there before is forgotten.
        """
        self.answers.pop(place, None)
        pixels = _of_useful_size(photo)
        faces = self.recognizer.recognize(pixels, max_error=max_error)
        return self._remember(place, pixels, faces)

    def look_again(self, place: str, max_error: float | None = None) -> Answer:
        """The same faces, asked about anew."""
        pixels, faces, _ = self.answer(place)
        found: Sequence[FoundFace] = _found(faces)
        again = self.recognizer.recognize(pixels, faces=lambda _: found, max_error=max_error)
        return self._remember(place, pixels, again)

    def answer(self, place: str) -> Answer:
        """What was answered there; DataError where there is no photo yet."""
        if place not in self.answers:
            raise DataError("Give a photo first.")
        return self.answers[place]

    def face(self, place: str, number: int) -> Face:
        """A face of the photo there; DataError where there is none."""
        faces = self.answer(place).faces
        if not 0 <= number < len(faces):
            raise DataError("No face was found in this photo.")
        return faces[number]

    def explain(self, place: str, number: int) -> Saliency:
        """The occlusion map of the most probable class of a face."""
        from ferembed.explain import explain_class

        return explain_class(self.recognizer, self.face(place, number).crop, "occlusion")

    def similarity(self, one: Face, other: Face) -> float:
        """Cosine of the embeddings of two faces, -1 to 1."""
        first, second = self.recognizer.encode([one.crop, other.crop])
        return float(first @ second)

    def explain_similarity(self, one: Face, other: Face) -> SimilaritySaliency:
        """The occlusion maps of the similarity of two faces."""
        from ferembed.explain import explain_similarity

        return explain_similarity(self.recognizer, one.crop, other.crop, "occlusion")

    def offer(self, photos: Sequence[IO[bytes]]) -> list[str]:
        """Find the surest face of each photo, to be enrolled next; what is wrong with the others, a sentence each.

        Parameters
        ----------
        photos : sequence of binary file
            Each with its name.

        Raises
        ------
        DataError
            If there are more than :data:`MOST_ENROLLED`.
        """
        from ferembed.faces import FaceCropper

        if len(photos) > MOST_ENROLLED:
            raise DataError(f"{len(photos)} photos are too many: give {MOST_ENROLLED} at most.")
        self.offered, wrong, find = [], [], FaceCropper()
        for photo in photos:
            try:
                faces = find(_of_useful_size(photo))
            except DataError as error:
                wrong.append(str(error))
                continue
            if faces:
                self.offered.append(max(faces, key=lambda face: face.score).crop)
            else:
                wrong.append(f"{photo.name} shows no face that was found.")
        return wrong

    def enrol(self, label: str) -> int:
        """Enrol the faces on offer in this tab's own recogniser, in memory; how many there were.

        Raises
        ------
        DataError
            If there is no face, no name, or too few faces.
        """
        if not self.offered:
            raise DataError("Give photos with a face first.")
        if not label.strip():
            raise DataError("Name the expression first.")
        own = copy.copy(self.recognizer)
        own.enroll(label, self.offered, save=False)
        self.recognizer, count, self.offered = own, len(self.offered), []
        return count

    def forget(self) -> None:
        """Go back to the shared recogniser."""
        self.recognizer, self.offered = self._shared, []

    def _remember(self, place: str, pixels: NDArray[np.uint8], faces: list[Face]) -> Answer:
        self.answers[place] = Answer(pixels, faces, self.recognizer.classes_.tolist())
        return self.answers[place]


class Sessions:
    """The tabs that are open, by name."""

    def __init__(self, shared: Recognizer) -> None:
        self._shared = shared
        self._open: OrderedDict[str, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def of(self, name: str) -> Session:
        """The session of a tab, a new one where it has none."""
        session = self._open.pop(name, None) or Session(self._shared)
        self._open[name] = session
        while len(self._open) > MOST_SESSIONS:
            self._open.popitem(last=False)
        return session

    def close(self, name: str) -> None:
        """Forget a tab."""
        self._open.pop(name, None)


def _found(faces: Sequence[Face]) -> list[FoundFace]:
    from ferembed.faces import FoundFace

    return [FoundFace(face.box, face.score, face.crop) for face in faces]


def _of_useful_size(photo: Photo) -> NDArray[np.uint8]:
    """The pixels of a photo, no more of them than the detector looks at."""
    from PIL import Image

    from ferembed.faces import read_photo
    from ferembed.faces.detectors import ENOUGH_PIXELS

    pixels = read_photo(photo)
    height, width = pixels.shape[:2]
    scale = math.sqrt(ENOUGH_PIXELS / (height * width))
    if scale >= 1:
        return pixels
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))
