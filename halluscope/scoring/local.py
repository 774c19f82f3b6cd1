"""Scoring a file of pairs in this process."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

from halluscope.detector import Detector
from halluscope.errors import InputError
from halluscope.files import replaceable
from halluscope.records import Pair, read_records
from halluscope.scoring.output import Output, written_alone
from halluscope.scoring.scored import CHUNK, check_label, score_chunk


def check_records(path: Path, detector: Detector) -> int:
    """Read and tokenise a file whole, so that a bad record is found before the work; returns its length."""
    count = 0
    for pair in read_records(path):
        detector.tokenize([pair])
        check_label(pair)
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
        Written when all is done: the records in input order with all their fields, and ``probability``,
        ``hallucinated`` (the verdict), ``threshold``, and ``label``, which is what ``hallucinated`` said
        before; other fields of the first three names are replaced. Until then a hidden partial file beside it
        holds what is done, and a later call with the same detector goes on from there.
    detector : Detector
        Fitted.
    progress : callable, optional
        Called with the number of pairs done.

    Raises
    ------
    InputError
        If the file holds no records, `out` is a device or a folder, another run is writing to it, or a record
        has a ``label`` that says something else than its ``hallucinated``.
    """
    out = replaceable(out)
    with written_alone(out):
        output = Output(out, path, detector.identity, CHUNK)
        if progress is not None:
            progress(output.done)
        for chunk in _chunks(itertools.islice(read_records(path), output.done, None)):
            output.append(score_chunk(detector, chunk))
            if progress is not None:
                progress(len(chunk))
        if not output.partial.exists():
            raise InputError(f"{path} holds no records")
        output.finish()


def _chunks(pairs: Iterator[Pair]) -> Iterator[list[Pair]]:
    while chunk := list(itertools.islice(pairs, CHUNK)):
        yield chunk
