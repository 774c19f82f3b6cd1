"""The claim that invented answers are smoother as a table, from the results of ``benchmarks.claim``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from halluscope.evaluation.smoothness import ALL, CLAIMED, ORIENTATIONS

RESULTS = Path(__file__).parent / "results" / "claim"
SURE = 0.05
"""Holm's p-value under which a mean difference is printed bold."""


def load_claim(model: str) -> dict[str, Any] | None:
    """What ``benchmarks.claim`` wrote for a language model, if anything."""
    path = RESULTS / f"{model}.json"
    if not path.exists():
        return None
    results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return results


def claim_table(results: Mapping[str, Any] | None) -> str:
    """For every measure and family of channels the mean difference, and in how many corpora its sign agrees.

    Parameters
    ----------
    results : mapping or None
        As ``benchmarks.claim`` writes them.

    Returns
    -------
    str
        Markdown. Positive numbers: invented answers are smoother, as claimed.
    """
    if results is None:
        return "Not measured yet for this version."
    families = {name: found for name, found in results["claim"].items() if name != ALL}
    families["all channels"] = results["claim"][ALL]
    lines = ["| | " + " | ".join(families) + " |", "|---" * (len(families) + 1) + "|"]
    for measure in (*CLAIMED, ALL):
        cells = " | ".join(_cell(family[measure]) for family in families.values())
        lines.append(f"| {measure_label(measure)} | {cells} |")
    return "\n".join([*lines, "", _summary(results)])


def measure_label(measure: str) -> str:
    """A measure in words, with its symbol if it has one."""
    if measure == ALL:
        return "all measures"
    title = ORIENTATIONS[measure].title
    return f"{title} {measure}" if measure.startswith("S") else title


def _cell(found: Mapping[str, Any]) -> str:
    mean = f"{found['mean']['value']:+.2f}"
    return f"{f'**{mean}**' if found['holm'] < SURE else mean} ({found['positive']})"


def _summary(results: Mapping[str, Any]) -> str:
    counted, cells = results["counted"], results["cells"]
    whole, tokens = results["claim"][ALL][ALL], results["tokens"]["mean"]
    agree, clearly, against = (
        f"{cells[kind] / cells['n']:.0%}" for kind in ("agree", "clearly_agree", "clearly_disagree")
    )
    uncounted = sorted({*results["corpora"], *results["left_out"]} - set(counted))
    sentences = [
        "Each number is the mean over the corpora of the standardised difference within a question or "
        "subject, positive where the invented answer is smoother, as claimed. In brackets: in how many "
        f"of the {len(counted)} corpora it is positive. Bold: the mean differs from zero (Holm: p < {SURE}).",
        f"Over everything the difference is {_bounds(whole['mean'])}.",
        f"Of {cells['n']} differences of one measure on one channel in one corpus, {agree} have the sign of "
        f"the claim; the 95% interval lies on its side of zero in {clearly}, on the other in {against}.",
        f"The number of tokens, true less invented, differs by {_bounds(tokens)}.",
    ]
    if uncounted:
        sentences.append(f"Not counted: {', '.join(uncounted)}.")
    return " ".join(sentences)


def _bounds(found: Mapping[str, float]) -> str:
    return f"{found['value']:+.2f} ({found['low']:+.2f} to {found['high']:+.2f})"
