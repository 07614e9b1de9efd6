"""The web page: photos asked about in a browser, on this computer alone."""

from ferembed.app.serving import served

__all__ = ["served"]
