"""Files that workers read and results are written to, on this machine or elsewhere."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
from pyarrow import fs

from halluscope.errors import InputError


def is_remote(place: str | Path) -> bool:
    """Whether this is an address (``s3://...``) and not a path."""
    return "://" in str(place)


def seen_by_workers(place: str) -> str:
    """The place as workers find it, which need not run in our folder."""
    return place if is_remote(place) else str(Path(place).absolute())


@contextmanager
def open_source(place: str) -> Iterator[BinaryIO]:
    """A file to read bytes from, that can be sought in.

    Raises
    ------
    InputError
        If it cannot be opened.
    """
    try:
        if not is_remote(place):
            file: BinaryIO = Path(place).open("rb")  # noqa: SIM115 - closed below, whatever it is
        else:
            system, path = fs.FileSystem.from_uri(place)
            file = io.BufferedReader(system.open_input_file(path))
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"cannot read {place}: {getattr(error, 'strerror', None) or error}") from None
    with file:
        yield file


@contextmanager
def written_remotely(place: str) -> Iterator[BinaryIO]:
    """A remote file to write to, which has its name only when it is whole.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    try:
        system, path = fs.FileSystem.from_uri(place)
        stream = system.open_output_stream(f"{path}.partial")
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"cannot write {place}: {error}") from None
    try:
        with stream:
            yield stream
        system.move(f"{path}.partial", path)
    except BaseException:
        system.delete_file(f"{path}.partial")
        raise
