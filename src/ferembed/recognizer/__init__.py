"""The recogniser: an encoder, a gallery of faces and the calibrated voters that read it, in one folder."""

from ferembed.recognizer.recognizer import Neighbors, Recognizer
from ferembed.recognizer.state import VOTE

__all__ = ["VOTE", "Neighbors", "Recognizer"]
