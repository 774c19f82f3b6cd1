"""What does the detector rest on? ``python -m benchmarks.ablations --data DIR``.

On every labelled file of a folder, out of fold and on the same folds as the whole detector: every family of
features and every channel alone and left out; surfaces with their tokens, their layers or both shuffled;
answers cut to one length; random directions instead of readings; and labels permuted, which must give 0.5.
Writes ``benchmarks/results/ablations/MODEL.json``. What is measured is kept, and a stopped run goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.arguments import new_parser
from benchmarks.cache import DETECTOR, OURS, digest, limit_size, save
from benchmarks.corpus import Corpus, read_corpora
from benchmarks.means import FACTS, Results, compare, sets_of
from halluscope import Detector, LanguageModel
from halluscope.detector.labelled import LabelledPairs
from halluscope.detector.readings import CHANNELS
from halluscope.evaluation.ablations import (
    cut_to,
    feature_ablations,
    random_reading,
    shuffle_both,
    shuffle_layers,
    shuffle_tokens,
)
from halluscope.evaluation.comparison import CorpusScores
from halluscope.evaluation.evaluate import ABLATIONS, cross_validate
from halluscope.evaluation.metrics import auroc
from halluscope.features import feature_names
from halluscope.folds import grouped_folds
from halluscope.lm.catalogue import DEFAULT_MODEL
from halluscope.progress import progress_bar

RESULTS = Path(__file__).parent / "results" / "ablations"
FOLDS, LIMIT, SEED = 5, 450, 0
PERMUTED = "labels permuted"
SHORT = 10
"""Percentile of the answers' lengths that all are cut to: nine in ten are then equally long."""

Scores = npt.NDArray[np.float64]


def main() -> None:
    """Run the command line."""
    arguments = new_parser("python -m benchmarks.ablations", __doc__, LIMIT).parse_args()
    lm = LanguageModel.from_pretrained(arguments.model)
    corpora = read_corpora(lm, arguments.data, arguments.cache, limit=arguments.limit, only=arguments.only)
    scores, chance = {}, {}
    for corpus in corpora:
        found = measure(corpus)
        limit_size(arguments.cache, arguments.cache_gb)
        chance[corpus.name] = auroc(permuted(corpus).hallucinated, found.pop(PERMUTED))
        scores[corpus.name] = CorpusScores(
            corpus.labelled.hallucinated,
            corpus.labelled.groups.tolist(),
            {name: probability[None] for name, probability in found.items()},
        )
    results = {
        "command": f"python -m benchmarks.ablations --data DIR --model {lm.name}",
        "limit": arguments.limit,
        **compare(scores, sets_of(scores)),
        PERMUTED: chance,
    }
    print(ablations_table(results))
    if not arguments.only:
        RESULTS.mkdir(parents=True, exist_ok=True)
        text = json.dumps(results, indent=1) + "\n"
        (RESULTS / f"{lm.name}.json").write_text(text, encoding="utf-8")


def measure(corpus: Corpus) -> dict[str, Scores]:
    """Out-of-fold probabilities of the detector (`OURS`) and of every ablation, by name."""
    kinds: dict[str, Callable[[Corpus], dict[str, Scores]]] = {
        OURS: _features_left,
        "tokens shuffled": lambda c: _changed(c, "tokens shuffled", transform=shuffle_tokens),
        "layers shuffled": lambda c: _changed(c, "layers shuffled", transform=shuffle_layers),
        "both shuffled": lambda c: _changed(c, "both shuffled", transform=shuffle_both),
        "cut to one length": lambda c: _changed(c, "cut to one length", transform=cut_to(_short(c))),
        "random directions": lambda c: _changed(c, "random directions", learn=random_reading),
        PERMUTED: lambda c: _changed(replace(c, labelled=permuted(c)), PERMUTED),
    }
    found: dict[str, Scores] = {}
    sources = (*DETECTOR, "evaluation/ablations.py")
    with progress_bar(f"Ablations of {corpus.name}", len(kinds)) as advance:
        for kind, measured in kinds.items():
            name = f"ablation-{kind}-{digest(sources, [corpus.lm], [corpus.labelled])}.npz"
            path = corpus.cache / name.replace(" ", "-")
            if not path.exists():
                save(path, measured(corpus))
            with np.load(path) as arrays:
                found |= dict(arrays)
            advance(1)
    return found


def permuted(corpus: Corpus) -> LabelledPairs:
    """The pairs with their labels in random order."""
    labels = np.random.default_rng(SEED).permutation(corpus.labelled.hallucinated)
    return replace(corpus.labelled, hallucinated=labels)


def _features_left(corpus: Corpus) -> dict[str, Scores]:
    detector = Detector(corpus.lm, prior=False, seed=SEED)
    channels = (*CHANNELS, *(channel for measure in detector.measures for channel in measure.channels))
    ablations = {**ABLATIONS, **feature_ablations(feature_names(channels))}
    own, others = _cross_validate(corpus, ablations=ablations)
    return {OURS: own, **others}


def _changed(corpus: Corpus, name: str, **changes: Any) -> dict[str, Scores]:
    return {name: _cross_validate(corpus, ablations={}, **changes)[0]}


def _cross_validate(corpus: Corpus, **changes: Any) -> tuple[Scores, dict[str, Scores]]:
    labelled = corpus.labelled
    folds = grouped_folds(labelled.hallucinated, labelled.groups.tolist(), FOLDS, SEED)
    detector = Detector(corpus.lm, prior=False, seed=SEED, progress=False)
    return cross_validate(detector, labelled, corpus.recorded([]), folds, corpus.states, **changes)


def _short(corpus: Corpus) -> int:
    lengths = [len(pair.tokens) for pair in corpus.lm.tokenize_pairs(corpus.labelled.pairs)]
    return max(1, int(np.percentile(lengths, SHORT)))


def ablations_table(results: Results | None = None) -> str:
    """Means over the corpora as Markdown; of the default language model if no results are given."""
    if results is None:
        path = RESULTS / f"{DEFAULT_MODEL}.json"
        if not path.exists():
            return "Not measured yet for this version."
        results = json.loads(path.read_text(encoding="utf-8"))
    mean = results["means"][FACTS]
    values = {name: found["value"] for name, found in mean["auroc"].items()}
    n = len(mean["corpora"])
    lines = [
        f"| mean of {n} corpora | AUROC | what the whole gains over it (95% interval) |",
        "|---|---|---|",
        f"| **{OURS}, whole** | **{values.pop(OURS):.3f}** | |",
    ]
    lines += [f"| {name} | {values[name]:.3f} | {_gain(mean['gains'][name])} |" for name in values]
    chance = results[PERMUTED]
    lines += [
        "",
        f"With permuted labels: {np.mean([chance[name] for name in mean['corpora']]):.3f} "
        f"({min(chance.values()):.3f} to {max(chance.values()):.3f} over the corpora). "
        f"At most {results['limit']} answers of a corpus, 5 grouped folds, one seed.",
    ]
    return "\n".join(lines)


def _gain(gain: Mapping[str, Any]) -> str:
    found = gain["mean"]
    return f"{found['value']:+.3f} ({found['low']:+.3f} to {found['high']:+.3f})"


if __name__ == "__main__":
    main()
