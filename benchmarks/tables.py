"""Render the tables of the READMEs from the benchmarks' results: ``make tables``.

A table stands between ``<!-- table NAME -->`` and ``<!-- end NAME -->``; nothing in it is typed by hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import breakdown, default_detector, memory, spread
from benchmarks.ablations import ablations_table
from benchmarks.accuracy_tables import (
    corpora_table,
    load_results,
    means_table,
    methods_table,
    metrics_table,
    primer_table,
)
from benchmarks.claim_table import claim_table, load_claim
from benchmarks.learning_curve import learning_curve_table
from benchmarks.peers.table import load_peers, peers_table
from benchmarks.speed_table import (
    breakdown_table,
    calls_table,
    files_table,
    load_speed,
    memory_table,
    spread_table,
    training_table,
)
from benchmarks.transfer_table import transfer_table
from halluscope.lm.catalogue import DEFAULT_MODEL, KNOWN_MODELS
from models.card import auroc_table

ROOT = Path(__file__).parents[1]
README, BENCHMARKS = ROOT / "README.md", ROOT / "benchmarks" / "README.md"


def main() -> None:
    """Rewrite the tables in both READMEs."""
    for path, tables in TABLES.items():
        text = path.read_text(encoding="utf-8")
        for name, render in tables.items():
            text = replace_table(text, name, render())
        path.write_text(text, encoding="utf-8")


def replace_table(text: str, name: str, table: str) -> str:
    """The text with one table exchanged.

    Raises
    ------
    ValueError
        If the text has no place for it.
    """
    pattern = re.compile(rf"(<!-- table {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"there is no place for the table '{name}'")
    return pattern.sub(lambda match: f"{match[1]}{table}\n{match[2]}", text)


def shipped_table(model: str) -> str:
    """The detector that ships for a language model, in and out of its topics."""
    results = ROOT / "models" / model / "results.json"
    if not results.exists():
        return "Not measured yet for this version."
    built = json.loads(results.read_text(encoding="utf-8"))
    rows: dict[str, Mapping[str, Any]] = {
        "its kinds of fact, cross-validated": built["cross_validated"],
        "subjects and kinds of fact left out": built["held_out"]["held-out kinds"],
        "kinds of fact that the model hardly knows": built["held_out"]["kinds that the model hardly knows"],
    }
    own = built.get("own_answers", {})
    elsewhere = default_detector.RESULTS / f"{model}.json"
    if not elsewhere.exists():
        return f"{auroc_table(rows | own)}\n\nOn other corpora: not measured yet for this version."
    carried = json.loads(elsewhere.read_text(encoding="utf-8"))
    order = sorted(carried, key=lambda name: (name != "well known", name))
    given = {name: carried[name] for name in order if not name.startswith("own")}
    return auroc_table(rows | given | own | {name: carried[name] for name in order if name not in given})


def _accuracy(
    table: Callable[[Mapping[str, Any] | None], str], model: str, variant: str = ""
) -> Callable[[], str]:
    return lambda: table(load_results(model, variant))


def _claim(model: str) -> Callable[[], str]:
    return lambda: claim_table(load_claim(model))


def _speed(table: Callable[[Mapping[str, Any] | None], str], model: str) -> Callable[[], str]:
    return lambda: table(load_speed(model))


_BY_MODEL = {"corpora": corpora_table, "methods": methods_table, "metrics": metrics_table}
_OWN = {"means": means_table, "corpora": corpora_table}
TABLES: dict[Path, dict[str, Callable[[], str]]] = {
    README: {
        **{f"shipped {model}": partial(shipped_table, model) for model in KNOWN_MODELS},
        **{f"means {model}": _accuracy(means_table, model) for model in KNOWN_MODELS},
        "corpora": _accuracy(corpora_table, DEFAULT_MODEL),
    },
    BENCHMARKS: {
        **{f"{n} {model}": _accuracy(t, model) for model in KNOWN_MODELS for n, t in _BY_MODEL.items()},
        **{f"own {n} {m}": _accuracy(t, m, "own") for m in KNOWN_MODELS for n, t in _OWN.items()},
        **{f"claim {model}": _claim(model) for model in KNOWN_MODELS},
        **{f"speed calls {model}": _speed(calls_table, model) for model in KNOWN_MODELS},
        **{f"speed files {model}": _speed(files_table, model) for model in KNOWN_MODELS},
        **{f"speed training {model}": _speed(training_table, model) for model in KNOWN_MODELS},
        "memory": lambda: memory_table(load_speed(DEFAULT_MODEL, memory.RESULTS)),
        "breakdown": lambda: breakdown_table(load_speed(DEFAULT_MODEL, breakdown.RESULTS)),
        "spread": lambda: spread_table(load_speed(DEFAULT_MODEL, spread.RESULTS)),
        "peers": lambda: peers_table(load_peers()),
        "primer": lambda: primer_table(load_results(DEFAULT_MODEL), load_results(DEFAULT_MODEL, "no_primer")),
        "ablations": ablations_table,
        "transfer": transfer_table,
        "learning curve": learning_curve_table,
    },
}


if __name__ == "__main__":
    main()
