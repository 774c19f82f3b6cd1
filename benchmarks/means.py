"""The detector beside other methods on several corpora: AUROC, gains, and their means over sets of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.cache import OURS
from benchmarks.corpus import GIVEN_AWAY
from halluscope.evaluation.comparison import CorpusScores, holm, mean_auroc, mean_gain

FACTS = "corpora of facts"
"""Those whose wording does not give the label away."""
FIVE = ("animals", "companies", "elements", "inventions", "trivia")
"""Those on which `benchmarks.default_detector` measures too, for their mean."""

Results = Mapping[str, Any]
"""What a benchmark has written as JSON."""


def sets_of(names: Iterable[str]) -> dict[str, list[str]]:
    """The sets over which means are taken: `FACTS`, and of `FIVE` what is there, if that is another set."""
    names = list(names)
    facts = [name for name in names if name not in GIVEN_AWAY]
    five = [name for name in names if name in FIVE]
    sets = {FACTS: facts} if facts else {}
    return sets | ({", ".join(five): five} if five and five != facts else {})


def compare(corpora: Mapping[str, CorpusScores], sets: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """AUROC of every method, and what the detector gains over each of the others.

    Parameters
    ----------
    corpora : mapping of str to CorpusScores
        At least one, by name, all with the same methods, the detector's name being `OURS`.
    sets : mapping of str to sequence of str
        Names of the corpora of each mean.

    Returns
    -------
    dict
        ``corpora``: for each its size, ``auroc`` and ``gains`` with intervals; ``means``: for each set its
        ``corpora``, ``auroc`` and ``gains`` with intervals, p-values and those corrected by Holm's method for
        the number of methods.
    """
    methods = list(next(iter(corpora.values())).scores)
    others = [method for method in methods if method != OURS]
    means = {}
    for title, names in sets.items():
        members = [corpora[name] for name in names]
        gains = {other: mean_gain(members, OURS, [other] * len(members)) for other in others}
        corrected = holm({other: gain.p for other, gain in gains.items()})
        means[title] = {
            "corpora": list(names),
            "auroc": {method: mean_auroc(members, method) for method in methods},
            "gains": {other: asdict(gain) | {"holm": corrected[other]} for other, gain in gains.items()},
        }
    return {
        "corpora": {
            name: {
                "n": len(corpus.labels),
                "n_groups": len(set(corpus.groups)),
                "auroc": {method: corpus.interval(method) for method in methods},
                "gains": {other: mean_gain([corpus], OURS, [other]).mean for other in others},
            }
            for name, corpus in corpora.items()
        },
        "means": means,
    }


def auroc_rows(compared: Results) -> list[str]:
    """Lines of a Markdown table: every corpus, then every mean with the gains over each method.

    Parameters
    ----------
    compared : mapping
        What `compare` gives.
    """
    methods = list(next(iter(compared["corpora"].values()))["auroc"])
    others = [method for method in methods if method != OURS]
    counted = compared["means"].get(FACTS, {}).get("corpora", [])
    lines = [f"| tested on | {' | '.join([OURS, *others])} |", f"|---|---|{'---|' * len(others)}"]
    for name, row in compared["corpora"].items():
        star = "" if name in counted else "*"
        lines.append(_row(f"{name}{star}", row["auroc"], others))
    for title, mean in compared["means"].items():
        lines.append(_row(f"**mean of {title}**", mean["auroc"], others))
        gains = (
            f"{gain['mean']['value']:+.3f} ({gain['mean']['low']:+.3f} to {gain['mean']['high']:+.3f})"
            for gain in (mean["gains"][other] for other in others)
        )
        lines.append(f"| gain of {OURS} | | {' | '.join(gains)} |")
    return lines


def _row(title: str, auroc: Mapping[str, Any], others: Sequence[str]) -> str:
    own = auroc[OURS]
    found = f"**{own['value']:.3f}** ({own['low']:.3f} to {own['high']:.3f})"
    values = " | ".join(f"{auroc[other]['value']:.3f}" for other in others)
    return f"| {title} | {found} | {values} |"
