"""Scoring a file of pairs: streamed, resumable, and the same file whether it was interrupted or not."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from halluscope.detector import Detection, Detector
from halluscope.errors import InputError
from halluscope.records import Pair, read_records

CHUNK = 256
"""Pairs between two safe points. Batches are made inside a chunk, so a resumed run makes the same ones."""


def check_records(path: Path, detector: Detector) -> int:
    """Read and tokenise a file whole, so that a bad record is found before the work; returns its length."""
    count = 0
    for pair in read_records(path):
        detector.tokenize([pair])
        count += 1
    if not count:
        raise InputError(f"{path} holds no records")
    return count


def score_file(
    path: Path,
    out: Path,
    detector: Detector,
    *,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Score every pair of a JSON Lines file.

    Parameters
    ----------
    path : Path
        Records, one a line.
    out : Path
        Written when all is done: the records in input order, each with ``probability``, ``hallucinated``
        (the verdict), ``threshold``, and ``label`` where the record had one. Until then a hidden partial file
        beside it holds what is done, and a later call with the same detector goes on from there.
    detector : Detector
        Fitted.
    progress : callable, optional
        Called with the number of pairs done.

    Raises
    ------
    InputError
        If the file holds no records, or another run is writing to `out`.
    """
    with _alone(out):
        _score(path, out, detector, progress)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Keep other runs from writing the same file: two would mix their lines in one partial file."""
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


def _score(path: Path, out: Path, detector: Detector, progress: Callable[[int], None] | None) -> None:
    partial = _partial_path(out, path, detector)
    done = _keep_whole_chunks(partial)
    if progress is not None:
        progress(done)
    for chunk in _chunks(itertools.islice(read_records(path), done, None)):
        detections = detector.detect_batch(chunk)
        lines = [_scored_line(pair, found) for pair, found in zip(chunk, detections, strict=True)]
        with partial.open("ab") as file:  # made with the first result: a refused run leaves nothing
            file.write("".join(lines).encode())
            file.flush()
            os.fsync(file.fileno())
        if progress is not None:
            progress(len(chunk))
    if not partial.exists():
        raise InputError(f"{path} holds no records")
    partial.replace(out)


def _partial_path(out: Path, path: Path, detector: Detector) -> Path:
    """Named after input and detector: another input's or detector's partial results are never taken over."""
    digest = hashlib.sha256(detector.identity.encode())
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return out.with_name(f".{out.name}.{digest.hexdigest()[:16]}.partial")


def _keep_whole_chunks(partial: Path) -> int:
    """Cut a partial file back to its last whole chunk; returns the number of pairs kept."""
    if not partial.exists():
        return 0
    lines = kept = end = position = 0
    with partial.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):  # torn when the writing was stopped
                break
            lines += 1
            position += len(line)
            if lines % CHUNK == 0:
                kept, end = lines, position
    os.truncate(partial, end)
    return kept


def _chunks(pairs: Iterator[Pair]) -> Iterator[list[Pair]]:
    while chunk := list(itertools.islice(pairs, CHUNK)):
        yield chunk


def _scored_line(pair: Pair, detection: Detection) -> str:
    record: dict[str, Any] = {
        "id": pair.id,
        "group": pair.group,
        "topic": pair.topic,
        "prompt": pair.prompt,
        "answer": pair.answer,
        "context": pair.context,
        "label": pair.hallucinated,
    }
    scored = {key: value for key, value in record.items() if value is not None}
    scored |= {
        "probability": detection.probability,
        "hallucinated": detection.hallucinated,
        "threshold": detection.threshold,
    }
    return json.dumps(scored, ensure_ascii=False) + "\n"
