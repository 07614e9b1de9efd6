"""From a photo to faces: what finds them, the square that is cut out around each, and its light."""

from ferembed.faces.cropper import FaceCropper, FoundFace, whole_photo
from ferembed.faces.detectors import Find, Found, HogDetector
from ferembed.faces.light import equalise, standardise
from ferembed.faces.photos import read_photo

__all__ = [
    "FaceCropper",
    "Find",
    "Found",
    "FoundFace",
    "HogDetector",
    "equalise",
    "read_photo",
    "standardise",
    "whole_photo",
]
