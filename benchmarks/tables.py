"""Render the README's tables from the benchmarks' results: ``make tables``.

A table stands between ``<!-- table NAME -->`` and ``<!-- end NAME -->``; nothing in it is typed by hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from benchmarks import corpora, default_detector
from halluscope.lm.catalogue import DEFAULT_MODEL
from models.card import auroc_table

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
GIVEN_AWAY = ("halueval_qa", "truthfulqa", "wiki_sentences")
"""Corpora whose wording alone gives the label away: shown, not counted."""


def main() -> None:
    """Rewrite the tables in the README."""
    text = README.read_text(encoding="utf-8")
    for name, render in TABLES.items():
        text = replace_table(text, name, render())
    README.write_text(text, encoding="utf-8")


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


def shipped_table() -> str:
    """The shipped detector in and out of its topics."""
    built = json.loads(
        (ROOT / "models" / "smollm2-135m-instruct" / "results.json").read_text(encoding="utf-8")
    )
    rows: dict[str, Mapping[str, Any]] = {
        "its kinds of fact, cross-validated": built["cross_validated"],
        "subjects and kinds of fact left out": built["held_out"]["held-out kinds"],
        "kinds of fact that the model hardly knows": built["held_out"]["kinds that the model hardly knows"],
    }
    if default_detector.RESULTS.exists():
        carried = json.loads(default_detector.RESULTS.read_text(encoding="utf-8"))
        rows |= {name: carried[name] for name in sorted(carried, key=lambda n: (n != "well known", n))}
    return auroc_table(rows)


def corpora_table() -> str:
    """A detector trained on each corpus beside the best baseline of the same run, and the count of wins."""
    lines = [
        "| corpus | pairs | halluscope | best baseline | gain (95% interval) | length | text | logprob |"
        " best-layer probe | all-layer probe | SAPLMA | stack |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    results = {key: r for key, r in corpora.load_results().items() if key.startswith(f"{DEFAULT_MODEL}/")}
    if not results:
        return "Not measured yet for this version."
    gains: dict[str, dict[str, float]] = {}
    for key, result in sorted(results.items()):
        name = key.split("/")[-1]
        value = {method: m["auroc"]["value"] for method, m in result["baselines"].items()}
        best = max(value, key=lambda method: value[method])
        gain, own = result["gains"][best], result["metrics"]["auroc"]
        gains[name] = gain
        others = ("length", "text", "logprob", "best-layer probe", "all-layer probe", "SAPLMA", "stack")
        lines.append(
            f"| {name}{'*' if name in GIVEN_AWAY else ''} | {result['n']} | **{own['value']:.3f}** |"
            f" {best} {value[best]:.3f} | {gain['value']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f}) | "
            + " | ".join(f"{value[other]:.3f}" for other in others)
            + " |"
        )
    fair = [gain for name, gain in gains.items() if name not in GIVEN_AWAY]
    lines += [
        "",
        f"Above the best baseline of the same run on {_wins(gains.values())}; without the corpora marked *, "
        f"whose wording gives the label away (see text and length), on {_wins(fair)}.",
    ]
    return "\n".join(lines)


def _wins(gains: Collection[Mapping[str, float]]) -> str:
    """How often a gain is above zero, and how often its whole interval is."""
    above, clearly = (sum(gain[bound] > 0 for gain in gains) for bound in ("value", "low"))
    return f"{above} of {len(gains)} corpora (the interval above zero on {clearly})"


TABLES: dict[str, Callable[[], str]] = {"shipped": shipped_table, "corpora": corpora_table}


if __name__ == "__main__":
    main()
