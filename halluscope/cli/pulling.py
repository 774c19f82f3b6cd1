"""Pulling a known model with progress bars on standard error."""

from __future__ import annotations

import sys
from pathlib import Path

from halluscope.lm.pull import pull, pulled_folder


def pull_with_bars(name: str) -> Path:
    """Bring a known model onto the machine, showing each stage, and return its folder."""
    there = pulled_folder(name)
    if there is not None:
        return there
    if not sys.stderr.isatty():
        return pull(name)
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total or None)
            bars.update(tasks[stage], completed=done, total=total or None)

        return pull(name, progress=show)
