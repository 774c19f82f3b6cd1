"""How well a detector carries over, as tables, from the results of ``benchmarks.transfer``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.across_models import across_table
from benchmarks.cache import OURS, WITH_PRIOR
from benchmarks.corpus import GIVEN_AWAY
from benchmarks.means import FACTS, Results, auroc_rows
from halluscope.lm.catalogue import DEFAULT_MODEL

RESULTS = Path(__file__).parent / "results" / "transfer"
PROBE = "best-layer probe"
"""What the detector is compared with in the matrix."""


def transfer_table(results: Results | None = None) -> str:
    """What was measured as Markdown; of the default language model if no results are given."""
    if results is None:
        path = RESULTS / f"{DEFAULT_MODEL}.json"
        if not path.exists():
            return "Not measured yet for this version."
        results = json.loads(path.read_text(encoding="utf-8"))
    parts = []
    if "all_but_one" in results:
        sizes = results["all_but_one"]["trained_on"].values()
        parts.append(
            f"Trained on {min(sizes):,} to {max(sizes):,} pairs of all corpora but the one tested on:\n\n"
            + "\n".join(auroc_rows(results["all_but_one"]))
            + "".join(
                f"\n\nMean of {title}: gain of {WITH_PRIOR} over {PROBE} {_bounds(gain['mean'])}."
                for title, gain in results["all_but_one"]["with_prior"].items()
            )
        )
    if "matrix" in results:
        parts.append(
            f"Trained on one corpus (rows), tested on another (columns), {OURS} / {PROBE}:\n\n"
            + matrix_table(results["matrix"])
        )
    if "across_models" in results:
        parts.append(
            "Channels without a learned direction, trained on one language model and tested on held-out "
            "questions on another:\n\n" + across_table(results["across_models"])
        )
    return "\n\n".join(parts)


def matrix_table(matrix: Results) -> str:
    """One row for each corpus learned from, one column for each tested on; last, the means."""
    names = list(matrix["cells"])
    lines = [f"| | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for trained, row in matrix["cells"].items():
        cells = [_both(row[tested]) if tested in row else "" for tested in names]
        star = "*" if trained in GIVEN_AWAY else ""
        lines.append(f"| {trained}{star} | {' | '.join(cells)} |")
    means = [_both(matrix["corpora"][name]["auroc"]) if name in matrix["corpora"] else "" for name in names]
    lines.append(f"| **mean** | {' | '.join(means)} |")
    lines.append(f"\nThe means are over what was learned from {FACTS}, the rows without a star.")
    for title, mean in matrix["means"].items():
        gain = mean["gains"][PROBE]["mean"]
        lines.append(f"\nMean of {title}: {_both(mean['auroc'])}, gain {_bounds(gain)}.")
    return "\n".join(lines)


def _both(auroc: Mapping[str, Any]) -> str:
    return f"{auroc[OURS]['value']:.3f} / {auroc[PROBE]['value']:.3f}"


def _bounds(gain: Mapping[str, float]) -> str:
    return f"{gain['value']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f})"
