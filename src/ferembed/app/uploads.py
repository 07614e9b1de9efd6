"""The folder of uploads: private, emptied as photos are read, and gone at the end."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

FOLDER = "GRADIO_TEMP_DIR"
"""The environment variable that tells gradio where to keep uploads."""


@contextmanager
def private_uploads() -> Iterator[Path]:
    """Have gradio keep uploads in a new folder, which this user alone reads, for as long as the with-block lasts."""
    before = os.environ.get(FOLDER)
    with tempfile.TemporaryDirectory(prefix="ferembed-app-", ignore_cleanup_errors=True) as folder:
        os.environ[FOLDER] = folder
        try:
            yield Path(folder)
        finally:
            os.environ.pop(FOLDER)
            if before is not None:
                os.environ[FOLDER] = before


def taken(upload: Mapping[str, Any]) -> IO[bytes]:
    """An uploaded file in memory, by its name; it is deleted from the disk.

    Parameters
    ----------
    upload : mapping
        ``path``, which gradio has checked to be an upload, and ``orig_name``, which the file had before.
    """
    path = Path(upload["path"])
    file = io.BytesIO(path.read_bytes())
    path.unlink()
    file.name = upload.get("orig_name") or path.name
    return file
