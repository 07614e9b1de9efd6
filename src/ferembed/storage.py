"""State on disk: whole-or-nothing writes and folders whose files are checked before they are read."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

Read = TypeVar("Read")
State: TypeAlias = tuple[int, int]

MANIFEST = "manifest.json"
LITTER = (".DS_Store", "Thumbs.db", "desktop.ini")
"""What file managers leave in a folder that somebody looked at."""
ATTEMPTS = 20


class StorageError(ValueError):
    """A saved file or folder is missing, truncated, altered or foreign."""


def sha256(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A path beside ``path`` to write to; renamed onto ``path`` when the block ends well, removed otherwise."""
    target = _resolved(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = _beside(target)
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    mode = draft.stat().st_mode & 0o777  # as the umask says, whatever the writer of the file thinks
    try:
        yield draft
        draft.chmod(mode)
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8 text, whole or not at all; of a file's name what is no UTF-8 is written as an escape."""
    with atomic_path(path) as draft:
        draft.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write indented JSON, whole or not at all. NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


@contextmanager
def atomic_folder(path: str | os.PathLike[str], since: State | None = None) -> Iterator[Path]:
    """A new folder to fill; it takes the place of ``path``, with a manifest of checksums, when the block ends well.

    A process killed at any moment leaves the old folder or the new one: where it dies between the two renames, the old
    one stands as ``.NAME.old``, where :func:`read_folder` finds it. Writers take turns. A symbolic link is followed.

    Parameters
    ----------
    path : path
    since : State, optional
        What :func:`state_of` gave when the folder was last read or written: it must not have been replaced since.

    Raises
    ------
    StorageError
        If ``path`` holds a file that its manifest does not name, is a file, is where the process stands, or was
        replaced meanwhile.
    """
    target = _resolved(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target.parent, exclusive=False):
        _check_replaceable(target)
    draft = _beside(target)
    draft.mkdir()
    try:
        yield draft
        write_manifest(draft)
        with locked(target.parent, exclusive=True):
            _check_replaceable(target)
            if since is not None and state_of(target) not in (since, None):
                raise StorageError(
                    f"{target} was changed by another writer since it was read: load it again, then change that."
                )
            _put(draft, target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_manifest(folder: Path, names: Sequence[str] | None = None) -> None:
    """Write the checksums of a folder's files, by default of all, those of its subfolders included, beside them.

    The files get the folder's own permissions: some writers let nobody but their owner read.
    """
    if names is None:
        names = [name for name in _file_names(folder) if name != MANIFEST]
    mode = folder.stat().st_mode & 0o666
    for name in names:
        (folder / name).chmod(mode)
    write_json(folder / MANIFEST, {"files": {name: sha256(folder / name) for name in names}})


def read_folder(path: str | os.PathLike[str], read: Callable[[Path], Read]) -> Read:
    """What ``read`` makes of a folder written by :func:`atomic_folder`, its files checked, all of one state.

    Nothing is written. Where another process puts a new folder in place meanwhile, ``read`` is called again.

    Raises
    ------
    StorageError
        As :func:`verify_folder`.
    """
    for attempt in range(1, ATTEMPTS + 1):
        with locked(_resolved(path).parent, exclusive=False):
            folder = standing(path)
            state = state_of(folder)
            try:
                found = read(verify_folder(folder))
            except (OSError, ValueError):
                if attempt == ATTEMPTS or (state_of(folder) == state and standing(path) == folder):
                    raise
            else:
                if state_of(folder) == state:
                    return found
    raise StorageError(f"{path} was replaced {ATTEMPTS} times while it was read: try again when nobody writes it.")


def verify_folder(path: str | os.PathLike[str]) -> Path:
    """Check every file of a folder written by :func:`atomic_folder` against its checksum and return the folder.

    Raises
    ------
    StorageError
        If the folder or its manifest is missing, or a file is missing or altered; the sentence names it.
    """
    target = standing(path)
    for name, checksum in _manifest(target).items():
        file = target / name
        if not file.is_file():
            raise StorageError(f"{file} is missing: copy the whole folder again.")
        if sha256(file) != checksum:
            raise StorageError(f"{file} is truncated or altered: its checksum differs from the manifest's.")
    return target


def standing(path: str | os.PathLike[str]) -> Path:
    """The folder itself, links followed, or the one before it, where a writer was killed between its two renames."""
    target = _resolved(path)
    old = _old(target)
    return old if old.exists() and not target.exists() else target


@contextmanager
def locked(folder: Path, *, exclusive: bool, wait: bool = True) -> Iterator[bool]:
    """Hold the lock that the system keeps for a folder: alone, or beside others that read. Nothing is written.

    Yields
    ------
    bool
        Whether it is held: some systems, and some network file systems, have no such locks.

    Raises
    ------
    BlockingIOError
        If another holds it and this is not to ``wait``.
    """
    handle = _lock(folder, exclusive, wait)
    try:
        yield handle is not None
    finally:
        if handle is not None:
            fcntl.flock(handle, fcntl.LOCK_UN)  # a forked child may hold a copy, and closing ours would not do
            os.close(handle)


def _lock(folder: Path, exclusive: bool, wait: bool) -> int | None:
    if fcntl is None:
        return None
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # whoever writes into the folder, or reads from it, says what is wrong with it
        return None
    try:
        fcntl.flock(handle, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | (0 if wait else fcntl.LOCK_NB))
        return handle
    except BlockingIOError:
        os.close(handle)
        raise
    except OSError:
        os.close(handle)
        return None


def _manifest(folder: Path) -> dict[str, str]:
    file = folder / MANIFEST
    if not file.is_file():
        raise StorageError(f"{folder} holds no {MANIFEST}: it is not a folder saved by ferembed.")
    try:
        return dict(json.loads(file.read_text(encoding="utf-8"))["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{file} is not a ferembed manifest ({error}).") from error


def _check_replaceable(target: Path) -> None:
    """Raise StorageError unless nothing is lost with the folder but what this library wrote into it."""
    if target.exists() and not target.is_dir():
        raise StorageError(f"{target} is a file, and a folder is to be written: give another name.")
    if target in (Path.cwd(), *Path.cwd().parents):
        raise StorageError(f"{target} cannot be replaced while the process stands in it: name a folder inside it.")
    names = _file_names(target)
    known = _manifest(target) if MANIFEST in names else {}
    foreign = [name for name in names if name not in known and name != MANIFEST and Path(name).name not in LITTER]
    if foreign:
        others = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise StorageError(
            f"{target} is not replaced: it holds {foreign[0]}{others}, which this library did not save there. "
            "Name another folder, or one inside it."
        )


def _put(draft: Path, target: Path) -> None:
    """Let a folder take another's place, the place of nothing or of an empty one included."""
    old = _old(target)
    if target.exists():
        shutil.rmtree(old, ignore_errors=True)
        os.replace(target, old)
    os.replace(draft, target)
    shutil.rmtree(old, ignore_errors=True)


def _file_names(folder: Path) -> list[str]:
    """The files under a folder, links counted as files; sorted."""
    found = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return sorted(path.relative_to(folder).as_posix() for path in found)


def state_of(folder: Path) -> State | None:
    """What tells a folder from the one that takes its place; None where there is none."""
    try:
        found = (folder / MANIFEST).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}")


def _old(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def _resolved(path: str | os.PathLike[str]) -> Path:
    return Path(path).resolve()
