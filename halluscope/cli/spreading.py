"""Scoring on a Ray cluster, with a progress bar."""

from __future__ import annotations

import os
from pathlib import Path

from halluscope.cli.learning import prepare
from halluscope.progress import progress_bar

# read when Ray is imported: nobody is told that it runs here, and errors are told once, by us
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_DATA_LOG_LEVEL", "CRITICAL")

from halluscope.distributed import score_file
from halluscope.distributed.file import count_records
from halluscope.distributed.workers import Recipe, Workers


def spread_score(
    source: str,
    out: str,
    model: str | None,
    detector: Path | None,
    workers: int,
    num_cpus: int,
    num_gpus: float,
) -> None:
    """Score a file; a known model is pulled here first, so that workers of this machine find it."""
    prepare(Recipe.of(detector, model).model)
    total = count_records(source)
    with progress_bar("Scoring", total) as advance:
        pool = Workers(workers, num_cpus, num_gpus)
        score_file(source, out, detector, model=model, workers=pool, progress=advance)
