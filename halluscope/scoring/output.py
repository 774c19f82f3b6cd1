"""A file of scored records that grows chunk by chunk, hidden until it is whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from halluscope.errors import InputError
from halluscope.files import file_sha256


class Output:
    """Scored records on their way into a file.

    Parameters
    ----------
    out : Path
        Where they are to be found when all is done.
    source : Path
        What is scored.
    scorer : str
        Digest of what it is scored with. The hidden partial file is named after it and the source: another
        input's or detector's partial results are never taken over.
    chunk : int
        Records that are written at a time.
    """

    def __init__(self, out: Path, source: Path, scorer: str, chunk: int) -> None:
        self.out = out
        self.partial = out.with_name(f".{out.name}.{file_sha256(source, scorer)[:16]}.partial")
        self.done = _keep_whole_chunks(self.partial, chunk)
        """Records that an earlier run has written."""

    def append(self, lines: str) -> None:
        """Write a chunk, safely on disk when this returns."""
        with self.partial.open("ab") as file:  # made with the first result: a refused run leaves nothing
            file.write(lines.encode())
            file.flush()
            os.fsync(file.fileno())

    def finish(self) -> None:
        """Put the whole file in its place."""
        self.partial.replace(self.out)


@contextmanager
def written_alone(out: Path) -> Iterator[None]:
    """Keep other runs from writing the same file: two would mix their lines in one partial file.

    Raises
    ------
    InputError
        If another run is at it.
    """
    lock = FileLock(out.with_name(f".{out.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(
            f"another run is writing {out}: wait until it is done, or give another name"
        ) from None
    try:
        yield
    finally:
        # removed while it is held: whoever comes next makes a new one, nobody waits for this one
        with suppress(PermissionError):  # where what is open cannot be removed, it stays
            Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def _keep_whole_chunks(partial: Path, chunk: int) -> int:
    """Cut a partial file back to its last whole chunk; returns the number of records kept."""
    if not partial.exists():
        return 0
    lines = kept = end = position = 0
    with partial.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):  # torn when the writing was stopped
                break
            lines += 1
            position += len(line)
            if lines % chunk == 0:
                kept, end = lines, position
    os.truncate(partial, end)
    return kept
