"""Tables of the accuracy benchmark, in Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.cache import OURS, WITH_PRIOR
from benchmarks.corpus import GIVEN_AWAY_LIMIT, SHIPPED_KNOWS
from benchmarks.overlap import RESULTS as OVERLAP

RESULTS = Path(__file__).parent / "results" / "accuracy"
LEAST_MATCHED = 20
"""Questions with answers of both kinds below which their share of right pairs says little."""
BEST = "best baseline of each corpus"
BESIDE = ("length", "text", "logprob", "best-layer probe", "all-layer probe", "SAPLMA", "DRIFT", "stack")
"""Baselines that have a column of their own where there is not room for all."""
_STARRED = "Corpora marked * are shown and not counted: their wording alone gives the label away."
NOT_MEASURED = "Not measured yet for this version."

Results = Mapping[str, Any]


def results_path(model: str, variant: str = "") -> Path:
    """Where ``python -m benchmarks.accuracy --model MODEL`` writes, with an option that is a variant."""
    return RESULTS / f"{model}{'.' if variant else ''}{variant}.json"


def load_results(model: str, variant: str = "") -> Results | None:
    """What it wrote there; None if it has not been run."""
    path = results_path(model, variant)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def means_table(results: Results | None) -> str:
    """Mean AUROC of every method and the detector's gain over it, the strongest first."""
    if results is None:
        return NOT_MEASURED
    means, gains = results["means"], results["gains"]
    n = len(results["counted"])
    rows = {BEST: _mean_of_best(results), **{m: means[m] for m in gains if m != BEST}}
    lines = [
        f"| mean of {n} corpora | AUROC | gain of halluscope (95% interval) | p (Holm) |"
        " better / same / worse |",
        "|---|---|---|---|---|",
        f"| **halluscope** | **{means[OURS]:.3f}** | | | |",
    ]
    for name in sorted(rows, key=lambda name: -rows[name]):
        gain = gains[name]
        counts = f"{gain['wins']} / {gain['ties']} / {gain['losses']}"
        lines.append(
            f"| {name} | {rows[name]:.3f} | {signed(gain['mean'])} | {_p(gain['holm'])} | {counts} |"
        )
    variants = [name for name in means if name not in gains and name != OURS]
    labels = {name: name if name == WITH_PRIOR else f"halluscope, {name}" for name in variants}
    lines += [f"| *{labels[name]}* | {means[name]:.3f} | | | |" for name in variants]
    return "\n".join([*lines, "", _seeds(results), "", _prior(results)])


def corpora_table(results: Results | None) -> str:
    """The detector on every corpus, beside the baseline that came out best on the same test folds."""
    if results is None:
        return NOT_MEASURED
    lines = [
        "| corpus | answers | halluscope | with prior | best baseline | gain (95% interval) | "
        + " | ".join(BESIDE)
        + " |",
        "|---|---|---|---|---|---|" + "---|" * len(BESIDE),
    ]
    for name, row in results["corpora"].items():
        value = {method: found["value"] for method, found in row["auroc"].items()}
        prior = "" if name in SHIPPED_KNOWS else f"{value[WITH_PRIOR]:.3f}"
        star = "" if name in results["counted"] else "*"
        lines.append(
            f"| {name}{star} | {row['n']} | **{value[OURS]:.3f}** | {prior} |"
            f" {row['best']} {value[row['best']]:.3f} | {signed(row['gain']['mean'])} | "
            + " | ".join(f"{value[m]:.3f}" for m in BESIDE)
            + " |"
        )
    gains = [results["corpora"][name]["gain"]["mean"] for name in results["counted"]]
    above, clearly = (sum(gain[bound] > 0 for gain in gains) for bound in ("value", "low"))
    worst = min(gain["value"] for gain in gains)
    lines += [
        "",
        f"Above the best baseline on {above} of {len(gains)} corpora, the whole interval above zero on "
        f"{clearly}; the worst difference is {worst:+.3f}. The best baseline is chosen on the very answers "
        "it is measured on, which favours it." + (f" {_STARRED}" if _uncounted(results) else ""),
    ]
    return "\n".join(lines)


def methods_table(results: Results | None) -> str:
    """AUROC of every method on every corpus."""
    if results is None:
        return NOT_MEASURED
    corpora = results["corpora"]
    lines = ["| | " + " | ".join(corpora) + " |", "|---|" + "---|" * len(corpora)]
    for method in sorted(results["means"], key=lambda method: -results["means"][method]):
        cells = " | ".join(f"{row['auroc'][method]['value']:.3f}" for row in corpora.values())
        lines.append(f"| {method} | {cells} |")
    return "\n".join(lines)


def primer_table(primed: Results | None, alone: Results | None) -> str:
    """Mean AUROC with and without the primer, over the corpora that both runs counted."""
    if primed is None or alone is None or primed["limit"] != alone["limit"]:
        return NOT_MEASURED
    names = [name for name in primed["counted"] if name in alone["counted"]]
    lines = [f"| mean of {len(names)} corpora | behind the primer | without it |", "|---|---|---|"]
    for method in (OURS, *BESIDE):
        cells = (
            f"{sum(results['corpora'][name]['auroc'][method]['value'] for name in names) / len(names):.3f}"
            for results in (primed, alone)
        )
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", f"About {primed['limit']} answers of a corpus, 5 grouped folds."])


def metrics_table(results: Results | None) -> str:
    """What else is measured of the detector on every corpus, on the folds of the first seed."""
    if results is None:
        return NOT_MEASURED
    metrics = list(next(iter(results["corpora"].values()))["metrics"][OURS])
    lines = [
        "| | questions with both | pair accuracy | " + " | ".join(metrics) + " |",
        "|---|---|---|" + "---|" * len(metrics),
    ]
    for name, row in results["corpora"].items():
        enough = row["n_matched"] >= LEAST_MATCHED
        paired = f"{row['pair_accuracy'][OURS]:.3f}" if enough else ""
        cells = " | ".join(f"{row['metrics'][OURS][metric]['value']:.3f}" for metric in metrics)
        lines.append(f"| {name} | {row['n_matched']} | {paired} | {cells} |")
    return "\n".join(
        [
            *lines,
            "",
            "Pair accuracy: how often the false answer to a question scores above a true one, over the "
            f"questions with answers of both kinds; left out where these are fewer than {LEAST_MATCHED}.",
        ]
    )


def signed(interval: Mapping[str, float]) -> str:
    """A difference with its interval."""
    return f"{interval['value']:+.3f} ({interval['low']:+.3f} to {interval['high']:+.3f})"


def _prior(results: Results) -> str:
    gains = results["gains_with_prior"]
    known = [name for name in results["counted"] if name in SHIPPED_KNOWS]
    stated = json.loads(OVERLAP.read_text(encoding="utf-8"))
    most = max(stated[name] for name in results["counted"] if name not in known)
    over = ", ".join(f"{name} {signed(gains[name]['mean'])}" for name in gains if name != OURS)
    return (
        "halluscope learns from the same answers as the baselines. *With prior*, its default, the detector "
        "that ships for the language model has a say besides, which learned from tables of facts; on corpora "
        f"that ask for the kinds in them ({', '.join(known)}) it is left out here, too, and in each of the "
        f"other counted ones at most {most:.0%} of the answers state one of its facts "
        "(`python -m benchmarks.overlap`). The prior adds "
        f"{signed(gains[OURS]['mean'])} on average; gains with it over {over}."
    )


def _mean_of_best(results: Results) -> float:
    rows = [results["corpora"][name] for name in results["counted"]]
    return sum(row["auroc"][row["best"]]["value"] for row in rows) / len(rows)


def _uncounted(results: Results) -> bool:
    return len(results["counted"]) < len(results["corpora"])


def _p(value: float) -> str:
    return "< 0.01" if value < 0.01 else f"{value:.2f}"


def _seeds(results: Results) -> str:
    seeds = sorted({found for found in results["seeds"].values() if found})
    given_away = f" ({GIVEN_AWAY_LIMIT} of those not counted)" if _uncounted(results) else ""
    missing = [name for name, found in results["seeds"].items() if not found]
    return (
        f"About {results['limit']} answers of a corpus{given_away}, 5 grouped folds, "
        f"{' to '.join(map(str, seeds))} seed{'s' if seeds[-1] > 1 else ''}. "
        + (f"Not measured yet: {', '.join(missing)}. " if missing else "")
        + "Better and worse: corpora where the interval of the difference lies above or below zero."
    )
