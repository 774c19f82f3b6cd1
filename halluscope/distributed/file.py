"""Scoring a file of records on many workers, local or remote, JSON Lines or Parquet."""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import ray

from halluscope.distributed.dataset import score_dataset
from halluscope.distributed.places import is_remote, open_source, seen_by_workers, written_remotely
from halluscope.distributed.workers import Progress, Recipe, Worker, Workers, our_errors_raised
from halluscope.errors import InputError
from halluscope.files import replaceable
from halluscope.records import parse_line
from halluscope.scoring.output import Output, written_alone
from halluscope.scoring.scored import CHUNK, check_label, score_chunk


@dataclass(frozen=True)
class Span:
    """Where a chunk of records lies in a file of JSON Lines.

    Parameters
    ----------
    start, end : int
        Bytes.
    line : int
        Number of its first line, from 1.
    records : int
    """

    start: int
    end: int
    line: int
    records: int


def score_file(
    source: str | Path,
    out: str | Path,
    detector: str | Path | None = None,
    *,
    model: str | None = None,
    workers: Workers | None = None,
    progress: Progress | None = None,
) -> None:
    """Score a file on many workers.

    A file of JSON Lines is scored in the chunks in which one process would, so that the result is the same;
    a local one goes on where it was when the run is stopped.

    Parameters
    ----------
    source : str or path
        ``.parquet`` (a file or a folder of them), else JSON Lines. Workers read it themselves: a path that
        all machines share, or an address (``s3://...``, ``gs://...``).
    out : str or path
        Parquet makes a folder of Parquet files, JSON Lines one file.
    detector, model
        As for `halluscope.distributed.score_dataset`.
    workers : Workers, optional
        One, with one core, if not given.
    progress : callable, optional
        Called with the number of records done; of Parquet never.

    Raises
    ------
    InputError
        For records that cannot be scored, naming line and field, or an output of another kind than the input.
    """
    workers = workers or Workers()
    if _is_parquet(source) != _is_parquet(out):
        raise InputError(f"{source} and {out} must both be Parquet (.parquet), or both JSON Lines")
    with _quiet_ray(), our_errors_raised():
        if _is_parquet(source):
            _score_parquet(str(source), str(out), detector, model, workers)
        else:
            _score_lines(str(source), str(out), Recipe.of(detector, model), workers, progress)


def count_records(source: str | Path) -> int | None:
    """Read a file of JSON Lines whole, so that a bad record is found before the work; None for Parquet."""
    return None if _is_parquet(source) else sum(span.records for span in _spans(str(source)))


def _score_lines(source: str, out: str, recipe: Recipe, workers: Workers, progress: Progress | None) -> None:
    spans = _spans(source)
    if not spans:
        raise InputError(f"{source} holds no records")
    if is_remote(source) or is_remote(out):
        with written_remotely(out if is_remote(out) else Path(out).absolute().as_uri()) as stream:
            for lines in _scored(source, spans, recipe, workers, progress):
                stream.write(lines.encode())
        return
    target = replaceable(Path(out))
    with written_alone(target):
        output = Output(target, Path(source), _digest(recipe), CHUNK)
        if progress is not None:
            progress(output.done)
        for lines in _scored(source, spans[-(-output.done // CHUNK) :], recipe, workers, progress):
            output.append(lines)
        output.finish()


def _scored(
    source: str, spans: Sequence[Span], recipe: Recipe, workers: Workers, progress: Progress | None
) -> Iterator[str]:
    """Scored records of every span, in order."""
    if not spans:
        return
    rows = [{"source": seen_by_workers(source), **asdict(span)} for span in spans]
    chunks = ray.data.from_items(rows, override_num_blocks=len(rows))
    for row in workers.run(chunks, SpanWorker, recipe, 1).iter_rows():
        yield row["lines"]
        if progress is not None:
            progress(row["records"])


class SpanWorker(Worker):
    """Scores spans of files of JSON Lines."""

    def __call__(self, table: pa.Table) -> pa.Table:
        """Scored records of each span, as text."""
        found = []
        for row in table.to_pylist():
            with open_source(row["source"]) as file:
                file.seek(row["start"])
                lines = file.read(row["end"] - row["start"]).split(b"\n")
            numbered = enumerate(lines, start=row["line"])
            pairs = [parse_line(line, row["source"], n) for n, line in numbered if line.strip()]
            found.append({"lines": score_chunk(self.detector, pairs), "records": len(pairs)})
        return pa.Table.from_pylist(found)


def _spans(source: str) -> list[Span]:
    """The chunks of a file; every record is checked on the way."""
    spans = []
    start, end, first, records = 0, 0, 1, 0
    with open_source(source) as file:
        for number, line in enumerate(file, start=1):
            end += len(line)
            if line.strip():
                check_label(parse_line(line, source, number))
                records += 1
            if records == CHUNK:
                spans.append(Span(start, end, first, records))
                start, first, records = end, number + 1, 0
    return [*spans, Span(start, end, first, records)] if records else spans


def _score_parquet(
    source: str, out: str, detector: str | Path | None, model: str | None, workers: Workers
) -> None:
    """Remote files appear one by one, a local folder whole."""
    if is_remote(out):
        _rewrite_parquet(source, out, detector, model, workers)
        return
    target = Path(out)
    with written_alone(target):
        if target.exists():
            raise InputError(f"cannot write {out}: it is there already, give another name")
        unfinished = target.with_name(f".{target.name}.partial")
        shutil.rmtree(unfinished, ignore_errors=True)  # a killed run's
        try:
            _rewrite_parquet(source, str(unfinished), detector, model, workers)
            unfinished.replace(target)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def _rewrite_parquet(
    source: str, out: str, detector: str | Path | None, model: str | None, workers: Workers
) -> None:
    scored = score_dataset(
        ray.data.read_parquet(seen_by_workers(source)),
        detector,
        model=model,
        workers=workers.number,
        num_cpus=workers.num_cpus,
        num_gpus=workers.num_gpus,
    )
    scored.write_parquet(seen_by_workers(out))


def _is_parquet(place: str | Path) -> bool:
    return str(place).rstrip("/").endswith(".parquet")


def _digest(recipe: Recipe) -> str:
    """Of what the scores depend on."""
    parts = [recipe.model.encode(), *(recipe.files[name] for name in sorted(recipe.files))]
    return hashlib.sha256(b"\n".join(parts)).hexdigest()


@contextmanager
def _quiet_ray() -> Iterator[None]:
    """Ray without its own bars and logs, rows in order; a cluster that is there already is used and stays."""
    context = ray.data.DataContext.get_current()
    before = context.enable_progress_bars, context.execution_options.preserve_order
    ours = not ray.is_initialized()
    if ours:
        ray.init(log_to_driver=False, logging_level=logging.ERROR)
    try:
        context.enable_progress_bars, context.execution_options.preserve_order = False, True
        yield
    finally:
        context.enable_progress_bars, context.execution_options.preserve_order = before
        if ours:
            ray.shutdown()
