"""Galleries of unit vectors that can be searched, added to, removed from and saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ferembed.index.base import Index, IndexStateError, SearchResult
from ferembed.index.exact import ExactIndex
from ferembed.index.factory import load_index, make_index

if TYPE_CHECKING:
    from ferembed.index.faiss_index import FaissIndex

__all__ = ["ExactIndex", "FaissIndex", "Index", "IndexStateError", "SearchResult", "load_index", "make_index"]


def __getattr__(name: str) -> Any:
    if name == "FaissIndex":
        from ferembed.index.faiss_index import FaissIndex

        return FaissIndex
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
