"""Files and folders that appear whole or not at all, and digests of what they hold."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from halluscope.errors import InputError


def replaceable(path: Path) -> Path:
    """Where a whole file is put in the place of another: behind the links that lead there.

    Raises
    ------
    InputError
        If a device, a pipe or a folder is there: to put a file in its place would remove it. Or links that
        lead in a circle.
    """
    target = behind_links(path)
    # a pipe's name under /dev/fd leads to what has no name: asked of the link itself
    if any(place.exists() and not place.is_file() for place in (path, target)):
        raise InputError(f"cannot write {path}: it is not a plain file, give another name")
    return target


def behind_links(path: Path) -> Path:
    """Where a path leads, whether or not something is there.

    Raises
    ------
    InputError
        If links lead in a circle.
    """
    try:
        target = path.resolve()
    except (OSError, RuntimeError) as error:
        raise InputError(f"cannot write {path}: {error}") from None
    if target.is_symlink():
        raise InputError(f"cannot write {path}: its links lead in a circle")
    return target


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A new file to write to, which takes the place of another once it is written.

    Parameters
    ----------
    path : Path
        What is to be written; its folder is made if it is not there.

    Yields
    ------
    Path
        Of the same suffix, in the same folder: only within one file system is a replacement atomic. It is
        gone if writing it fails, and then `path` is as it was.

    Raises
    ------
    InputError
        If something else than a plain file is there.
    """
    path = replaceable(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{secrets.token_hex(8)}{path.suffix}")
    try:
        yield unfinished
        with unfinished.open("rb+") as file:  # on the disk before it takes a name: power may fail
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def folder_written_whole(path: Path) -> Iterator[Path]:
    """A new folder to write to, which takes the place of another once it is written.

    Parameters
    ----------
    path : Path
        What is to be written; the folder that it lies in is made if it is not there.

    Yields
    ------
    Path
        In the same place. It is gone if writing it fails, and then `path` is as it was.

    Raises
    ------
    InputError
        If links lead in a circle.
    """
    path = behind_links(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        fresh.chmod(0o755)  # mkdtemp makes it the owner's alone
        yield fresh
        _swap(fresh, path)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _swap(fresh: Path, folder: Path) -> None:
    """Put `fresh` in the place of `folder`; whatever stops it, one of the two is left."""
    old = fresh.with_name(fresh.name + ".old")
    try:
        if folder.exists():
            folder.replace(old)
        fresh.replace(folder)
    except BaseException:
        if old.exists() and not folder.exists():
            old.replace(folder)
        raise
    finally:
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)


def file_sha256(path: Path, first: str = "") -> str:
    """SHA-256 of a file's content, in hexadecimal; of a text in front of it where one is given."""
    digest = hashlib.sha256(first.encode())
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
