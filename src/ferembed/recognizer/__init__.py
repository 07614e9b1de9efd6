"""The recogniser: an encoder, a gallery of faces and the calibrated voters that read it, in one folder."""

from ferembed.recognizer.memory import VOTE, Neighbors
from ferembed.recognizer.photos import Face
from ferembed.recognizer.recognizer import Recognizer
from ferembed.recognizer.shipped import load

__all__ = ["VOTE", "Face", "Neighbors", "Recognizer", "load"]
