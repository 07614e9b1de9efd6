"""The one import of FAISS. It is untyped: FAISS's own stubs leave out a good part of what it has."""

from __future__ import annotations

import importlib
from typing import Any

faiss: Any = importlib.import_module("faiss")
