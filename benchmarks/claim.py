"""Are invented answers smoother? ``python -m benchmarks.claim --data DIR``.

For every measure of roughness and peaks on every channel, the standardised difference between true and
invented answers to the same question (or subject: a group of the records), in every labelled file of some
folders, and in how many of them its sign is the one that the claim says. Answers are read behind their own
prompts, without a primer; no direction that a surface is read with saw its question. Writes
``benchmarks/results/claim/MODEL.json`` and a figure beside it.

States are recorded once and kept, where ``benchmarks.accuracy --no-primer`` finds them; so are the surfaces'
features.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.accuracy import LIMIT
from benchmarks.arguments import CACHE
from benchmarks.cache import limit_size, save
from benchmarks.claim_figure import draw_claim
from benchmarks.claim_table import RESULTS, claim_table
from benchmarks.corpus import GIVEN_AWAY, Corpus, read_corpora
from halluscope import Detector, LanguageModel
from halluscope.detector.cross_fitting import TrainingPart, cross_fit
from halluscope.detector.readings import CHANNELS
from halluscope.detector.states import pool_states
from halluscope.evaluation.comparison import holm
from halluscope.evaluation.matched import (
    RESAMPLES,
    Agreement,
    MatchedDifferences,
    agreements,
    matched_differences,
    matched_rows,
)
from halluscope.evaluation.smoothness import ORIENTATIONS, claim_weights
from halluscope.features import family_of
from halluscope.folds import grouped_folds
from halluscope.lm.catalogue import DEFAULT_MODEL, KNOWN_MODELS
from halluscope.progress import progress_bar
from halluscope.surfaces import Measure
from halluscope.surfaces.measures import Entropy, Lens, Norm, Step, Turn

MEASURES: tuple[Measure, ...] = (Norm(), Step(), Turn(), Lens(), Entropy())
"""The default channels, but all read at every layer: interpolated rows would be smooth by themselves."""
FAMILIES: dict[str, tuple[str, ...]] = {
    **{name: (name,) for name in ("norm", "step", "turn", "lens", "entropy")},
    "readings": CHANNELS,
}
"""Channels that the table and the figure show as one: the learned ones are variants of one thing."""
TOKENS = "tokens"
"""The number of answer tokens, compared like a feature: what is longer might be rougher for that alone."""
LEAST = 20
"""Questions with answers of both kinds below which a corpus is shown but not counted: a bootstrap of fewer
gives intervals that are too narrow."""
FEWEST = 4
"""Such questions below which a corpus is left out: each fold of the readings needs one."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.claim", description=__doc__)
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, help="folders of labelled .jsonl files"
    )
    parser.add_argument(
        "--on-policy", type=Path, nargs="*", default=[], help="folders that benchmarks.on_policy wrote"
    )
    parser.add_argument("--model", default=DEFAULT_MODEL, help=f"language model: {', '.join(KNOWN_MODELS)}")
    parser.add_argument("--only", nargs="*", help="names of files, without .jsonl; writes to --out only")
    parser.add_argument("--limit", type=int, default=LIMIT, help="most records of a file, whole groups")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of states and features")
    parser.add_argument(
        "--cache-gb", type=float, default=30.0, help="states beyond this are removed, oldest first"
    )
    parser.add_argument("--out", type=Path, help=f"folder for the results, {RESULTS} if not given")
    options = parser.parse_args(arguments)
    lm = LanguageModel.from_pretrained(options.model)
    # the claim is about answers as they are given, so behind their own prompts alone
    kept = {"limit": options.limit, "only": options.only, "primer": ()}
    corpora = read_corpora(lm, options.data, options.cache, **kept)
    if options.on_policy:
        own = read_corpora(lm, options.on_policy, options.cache, **kept)
        corpora += [replace(corpus, name=f"{corpus.name} (own)") for corpus in own]
    names: list[str] = []
    measured: dict[str, MatchedDifferences] = {}
    left_out = {}
    for corpus in corpora:
        counts = count_groups(corpus)
        left = counts["n_matched"] < FEWEST
        print(
            f"{corpus.name}: {counts['n_matched']} of {counts['n_groups']} questions have answers of both "
            f"kinds{', left out' if left else ''}",
            flush=True,
        )
        if left:
            left_out[corpus.name] = counts
        else:
            names, measured[corpus.name] = compare(corpus)
            limit_size(options.cache, options.cache_gb)
    if not measured:
        raise SystemExit(
            f"no corpus has {FEWEST} questions with answers of both kinds: there is nothing to compare"
        )
    results = {
        "command": f"python -m benchmarks.claim --data DIR{' --on-policy DIR' if options.on_policy else ''}"
        f" --model {lm.name} --limit {options.limit}",
        "model": lm.name,
        "limit": options.limit,
        "resamples": RESAMPLES,
        "left_out": left_out,
        **summarise(names, measured),
    }
    print(claim_table(results))
    if options.out or not options.only:
        write(results, options.out or RESULTS)


def count_groups(corpus: Corpus) -> dict[str, int]:
    """Questions of a corpus, and those with answers of both kinds."""
    groups = corpus.labelled.groups
    matched = matched_rows(corpus.labelled.hallucinated, groups.tolist())
    return {"n_groups": len(set(groups)), "n_matched": len(set(groups[matched]))}


def compare(corpus: Corpus) -> tuple[list[str], MatchedDifferences]:
    """Differences of every measure of roughness and peaks, and last of the number of tokens."""
    names, features = surface_features(corpus)
    kept = [column for column, name in enumerate(names) if family_of(name) in ("roughness", "peaks")]
    tokens = [len(pair.tokens) for pair in corpus.tokenized]
    differences = matched_differences(
        np.column_stack([features[:, kept], tokens]),
        corpus.labelled.hallucinated,
        corpus.labelled.groups.tolist(),
        resamples=RESAMPLES,
        seed=zlib.crc32(corpus.name.encode()),  # corpora of one size would share their resamples
    )
    return [*(names[column] for column in kept), TOKENS], differences


def surface_features(corpus: Corpus) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Features of all surfaces (pairs, features), kept on disk.

    The readings are cross-fitted as `Detector.fit` does it: each surface is read by directions learned from
    other questions.
    """
    detector = Detector(corpus.lm, prior=False, primer=corpus.primer)
    kind = f"surfaces-{zlib.crc32(repr(MEASURES).encode()):08x}"
    path = corpus.path(kind, detector.seed).with_suffix(".npz")
    if not path.exists():
        labelled, source = corpus.labelled, corpus.states
        y, n = labelled.hallucinated, len(labelled.pairs)
        folds = grouped_folds(y, labelled.groups, detector.folds, detector.seed)
        states = pool_states(source, corpus.tokenized)
        part = TrainingPart(np.arange(n), folds)
        with progress_bar(f"Measuring {corpus.name}", n) as advance:
            names, (crossed,) = cross_fit(
                source, corpus.tokenized, states, y, [part], MEASURES, detector.ridge, progress=advance
            )
        save(path, {"names": np.array(names), "features": crossed.features})
    with np.load(path) as kept:
        return kept["names"].tolist(), kept["features"]


def summarise(names: Sequence[str], measured: Mapping[str, MatchedDifferences]) -> dict[str, Any]:
    """Every difference in every corpus, and over the corpora that count, or over all where none does.

    Under ``features`` stand differences true less invented; under ``claim`` they are turned so that positive
    means that the invented answer is smoother, and averaged over the channels of a family.
    """
    counted = [
        name for name, corpus in measured.items() if name not in GIVEN_AWAY and corpus.n_matched >= LEAST
    ] or list(measured)
    combinations, weights = claim_weights(names, FAMILIES)
    claims = {name: corpus.combined(weights) for name, corpus in measured.items()}
    *over_features, over_tokens = agreements([measured[name] for name in counted])
    over_claims = agreements([claims[name] for name in counted])
    return {
        "measures": {name: orientation._asdict() for name, orientation in ORIENTATIONS.items()},
        "families": FAMILIES,
        "counted": counted,
        "corpora": {
            name: {
                "n": corpus.n,
                "n_groups": corpus.n_groups,
                "n_matched": corpus.n_matched,
                TOKENS: corpus.intervals()[-1],
                "features": dict(zip(names[:-1], corpus.intervals()[:-1], strict=True)),
                "claim": _nested(combinations, claims[name].intervals()),
            }
            for name, corpus in measured.items()
        },
        "features": dict(zip(names[:-1], _corrected(over_features), strict=True)),
        "claim": _nested(combinations, _corrected(over_claims)),
        "cells": count_cells(names[:-1], over_features),
        TOKENS: asdict(over_tokens),
    }


def count_cells(names: Sequence[str], features: Sequence[Agreement]) -> dict[str, int]:
    """How many differences, of one feature in one corpus, have the sign that the claim says.

    A feature that is the same in all answers of a corpus has no sign and is none of the ``n``.
    """
    signs = [ORIENTATIONS[name.split(".", 1)[1]].sign for name in names]
    above = [feature for sign, feature in zip(signs, features, strict=True) if sign > 0]
    below = [feature for sign, feature in zip(signs, features, strict=True) if sign < 0]
    return {
        "n": sum(feature.positive + feature.negative for feature in above + below),
        "agree": sum(f.positive for f in above) + sum(f.negative for f in below),
        "clearly_agree": sum(f.clearly_positive for f in above) + sum(f.clearly_negative for f in below),
        "clearly_disagree": sum(f.clearly_negative for f in above) + sum(f.clearly_positive for f in below),
    }


def _corrected(found: Sequence[Agreement]) -> list[dict[str, Any]]:
    """As plain numbers, with p-values corrected for all of them."""
    corrected = holm({str(place): agreement.p for place, agreement in enumerate(found)})
    return [asdict(agreement) | {"holm": p} for agreement, p in zip(found, corrected.values(), strict=True)]


def _nested(combinations: Sequence[tuple[str, str]], values: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """Values by family and measure."""
    nested: dict[str, dict[str, Any]] = {}
    for (family, measure), value in zip(combinations, values, strict=True):
        nested.setdefault(family, {})[measure] = value
    return nested


def write(results: dict[str, Any], folder: Path) -> None:
    """The results as JSON and as a figure, both named after the model."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_rounded(results), indent=1) + "\n"
    (folder / f"{results['model']}.json").write_text(text, encoding="utf-8")
    draw_claim(results).savefig(folder / f"{results['model']}.png")


def _rounded(value: Any) -> Any:
    """Five decimals: resampling gives no more."""
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return value


if __name__ == "__main__":
    main()
