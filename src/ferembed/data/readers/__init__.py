"""Readers that come with the library: each registers itself, and the last one imported is asked first."""

# isort: off
from ferembed.data.readers import manifest
from ferembed.data.readers import folder
from ferembed.data.readers import fer2013
from ferembed.data.readers import drawn

__all__ = ["drawn", "fer2013", "folder", "manifest"]
