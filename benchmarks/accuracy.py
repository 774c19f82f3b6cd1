"""Which white-box detector is the most accurate? ``python -m benchmarks.accuracy --data DIR``.

On every labelled file of a folder, the detector and all baselines are measured out of fold on the same
recorded states and the same grouped folds, several seeds over. Recorded states and out-of-fold probabilities
are kept in a cache folder, so that a run that was stopped goes on where it was, and a change to the detector
repeats the detector only. Writes ``benchmarks/results/accuracy/MODEL.json`` after each corpus, with all that
is measured so far; ``make tables`` renders it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import takewhile
from typing import Any

import numpy as np

from benchmarks.accuracy_tables import BEST, RESULTS, means_table
from benchmarks.arguments import new_parser
from benchmarks.cache import METHODS, OURS, WITH_PRIOR, limit_size, save
from benchmarks.corpus import GIVEN_AWAY, SHIPPED_KNOWS, Corpus, read_corpora
from halluscope import Detector, LanguageModel
from halluscope.evaluation.bootstrap import evaluate_scores
from halluscope.evaluation.comparison import CorpusScores, holm, mean_gain
from halluscope.evaluation.evaluate import ABLATIONS, WITHOUT_PRIOR, cross_validate
from halluscope.evaluation.folds import out_of_fold
from halluscope.files import written_whole
from halluscope.folds import grouped_folds
from halluscope.progress import progress_bar

FOLDS, SEEDS, LIMIT = 5, 3, 900
DETECTORS = (OURS, WITH_PRIOR, *ABLATIONS)
"""The detector and its variants."""
CLOSELY = ("stack", "SAPLMA", "best-layer probe")
"""Baselines whose probabilities are looked at beyond their ranking, as the best one's are."""
QUICK = {"only": ("animals", "cities", "trivia"), "limit": 300, "seeds": 1}


def main() -> None:
    """Run the command line."""
    parser = new_parser("python -m benchmarks.accuracy", __doc__, LIMIT)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how often the groups are folded anew")
    parser.add_argument("--quick", action="store_true", help="three small corpora, one seed; writes nothing")
    arguments = parser.parse_args()
    if arguments.quick:
        vars(arguments).update(QUICK)
    lm = LanguageModel.from_pretrained(arguments.model)
    corpora = read_corpora(lm, arguments.data, arguments.cache, limit=arguments.limit, only=arguments.only)
    for seed in range(arguments.seeds):
        for corpus in corpora:
            measure(corpus, seed)
            limit_size(arguments.cache, arguments.cache_gb)
            scores = load_scores(corpus, seed + 1)
            best = scores.best_of(list(METHODS))
            ours, theirs = (scores.auroc(method) for method in (OURS, best))
            print(f"seed {seed}, {corpus.name}: {OURS} {ours:.3f}, {best} {theirs:.3f}", flush=True)
            results = {
                "command": f"python -m benchmarks.accuracy --data DIR --model {lm.name}",
                "model": lm.name,
                "limit": arguments.limit,
                **summarise_measured(corpora, arguments.seeds),
            }
            if not arguments.only:
                with written_whole(RESULTS / f"{lm.name}.json") as unfinished:
                    unfinished.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(means_table(results))


def summarise_measured(corpora: Sequence[Corpus], seeds: int) -> dict[str, Any]:
    """What `summarise` makes of all that is kept so far, and of how many seeds it is for each corpus."""
    kept = {corpus.name: seeds_kept(corpus, seeds) for corpus in corpora}
    measured = {c.name: load_scores(c, kept[c.name]) for c in corpora if kept[c.name]}
    return {"seeds": kept, **summarise(measured)}


def seeds_kept(corpus: Corpus, most: int) -> int:
    """How many seeds, from the first on, have been measured with all methods."""
    methods = (*DETECTORS, *METHODS)
    whole = (all(corpus.path(method, seed).exists() for method in methods) for seed in range(most))
    return len(list(takewhile(bool, whole)))


def measure(corpus: Corpus, seed: int) -> None:
    """Keep the out-of-fold probabilities of the detector, its ablations and all baselines for one seed."""
    missing = [method for method in (*DETECTORS, *METHODS) if not corpus.path(method, seed).exists()]
    if not missing:
        return
    y, groups = corpus.labelled.hallucinated, corpus.labelled.groups.tolist()
    folds = grouped_folds(y, groups, FOLDS, seed)
    recorded = corpus.recorded(missing)
    if set(DETECTORS) & set(missing):
        detector = Detector(corpus.lm, prior=corpus.name not in SHIPPED_KNOWS, seed=seed)
        own, others = cross_validate(detector, corpus.labelled, recorded, folds, corpus.states)
        found = {OURS: others.pop(WITHOUT_PRIOR, own), WITH_PRIOR: own, **others}
        for method, probability in found.items():
            save(corpus.path(method, seed), probability)
    baselines = [method for method in missing if method in METHODS]
    with progress_bar("Baselines", len(baselines)) as advance:
        for method in baselines:
            baseline = METHODS[method]()
            if "random_state" in baseline.get_params():
                baseline.set_params(random_state=seed)
            save(corpus.path(method, seed), out_of_fold(baseline, recorded, y, groups, folds))
            advance(1)


def load_scores(corpus: Corpus, seeds: int) -> CorpusScores:
    """What `measure` has kept for the first seeds."""
    scores = {
        method: np.stack([np.load(corpus.path(method, seed)) for seed in range(seeds)])
        for method in (*DETECTORS, *METHODS)
    }
    return CorpusScores(corpus.labelled.hallucinated, corpus.labelled.groups.tolist(), scores)


def summarise(corpora: dict[str, CorpusScores]) -> dict[str, Any]:
    """Every method on every corpus, and the mean gains over each baseline with Holm's correction."""
    counted = [corpus for name, corpus in corpora.items() if name not in GIVEN_AWAY]
    others = {method: [method] * len(counted) for method in METHODS}
    others[BEST] = [corpus.best_of(list(METHODS)) for corpus in counted]
    gains = {name: mean_gain(counted, OURS, methods) for name, methods in others.items()}
    corrected = holm({name: gain.p for name, gain in gains.items()})
    closely = [name for name in (BEST, *CLOSELY) if name in others]
    with_prior = {name: mean_gain(counted, WITH_PRIOR, others[name]) for name in closely}
    with_prior[OURS] = mean_gain(counted, WITH_PRIOR, [OURS] * len(counted))
    return {
        "counted": [name for name in corpora if name not in GIVEN_AWAY],
        "corpora": {name: _row(corpus) for name, corpus in corpora.items()},
        "means": {
            method: float(np.mean([corpus.auroc(method) for corpus in counted]))
            for method in counted[0].scores
        },
        "gains": {name: asdict(gain) | {"holm": corrected[name]} for name, gain in gains.items()},
        "gains_with_prior": {name: asdict(gain) for name, gain in with_prior.items()},
    }


def _row(corpus: CorpusScores) -> dict[str, Any]:
    """One corpus; metrics other than AUROC and pair accuracy on the first seed, with their intervals."""
    best = corpus.best_of(list(METHODS))
    return {
        "n": len(corpus.labels),
        "n_groups": len(set(corpus.groups)),
        "best": best,
        "gain": asdict(mean_gain([corpus], OURS, [best])),
        "auroc": {method: corpus.interval(method) for method in corpus.scores},
        "pair_accuracy": {method: corpus.pair_accuracy(method) for method in corpus.scores},
        "metrics": {
            method: evaluate_scores(corpus.labels, corpus.scores[method][0], corpus.groups)
            for method in dict.fromkeys((OURS, best, *CLOSELY))
            if method in corpus.scores
        },
    }


if __name__ == "__main__":
    main()
