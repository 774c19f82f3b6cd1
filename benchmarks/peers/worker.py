"""One contestant in a process of its own: ``python -m benchmarks.peers.worker NAME JOB``.

Reads the names of files from its input, scores them, and writes a line of JSON for each: the seconds that it
took and the megabytes that its resident memory peaked at beyond what it was when all was loaded; or an error.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.peers.contestants import CONTESTANTS
from benchmarks.resident import peak_megabytes


def main(name: str, job: str) -> None:
    """Serve one contestant until the input ends."""
    # libraries print: what is answered goes where nothing else does
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(**fields: Any) -> None:
        answers.write(json.dumps(fields) + "\n")
        answers.flush()

    task = json.loads(Path(job).read_text(encoding="utf-8"))
    try:
        score = CONTESTANTS[name][2](task["model"], task["dtype"])
    except Exception as error:
        answer(error=describe(error))
        return
    answer(ready=True)
    before = peak_megabytes(reset=True)
    for line in sys.stdin:
        pairs = task["files"][line.strip()]
        try:
            peak_megabytes(reset=True)
            start = time.perf_counter()
            scores = [float(value) for value in score(pairs)]
            seconds = time.perf_counter() - start
            if len(scores) != len(pairs) or not all(map(math.isfinite, scores)):
                raise ValueError(f"{len(scores)} scores, not all finite, for {len(pairs)} pairs")
            answer(seconds=seconds, megabytes=peak_megabytes() - before)
        except Exception as error:
            answer(error=describe(error))


def describe(error: Exception) -> str:
    """Type and last line of an error."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[-1]}" if lines else type(error).__name__


if __name__ == "__main__":
    main(*sys.argv[1:])
