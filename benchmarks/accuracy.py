"""Which white-box detector is the most accurate? ``python -m benchmarks.accuracy --data DIR``.

On every labelled file of a folder, the detector and all baselines are measured out of fold on the same
recorded states and the same grouped folds, several seeds over. Recorded states and out-of-fold probabilities
are kept in a cache folder, so that a run that was stopped goes on where it was, and a change to the detector
repeats the detector only. Writes ``benchmarks/results/accuracy/MODEL.json`` after each corpus, with all that
is measured so far (``MODEL.own.json`` with ``--own``); ``make tables`` renders it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import takewhile
from typing import Any

import numpy as np

from benchmarks.accuracy_tables import BESIDE, BEST, means_table, results_path
from benchmarks.arguments import add_jobs, new_parser
from benchmarks.cache import METHODS, METHODS_ON_OWN, OURS, WITH_PRIOR, is_baseline, limit_size
from benchmarks.corpus import GIVEN_AWAY, Corpus, measurable, read_corpora
from benchmarks.measuring import DETECTORS, load_scores, measure
from benchmarks.parallel import each_corpus
from halluscope import LanguageModel
from halluscope.evaluation.bootstrap import evaluate_scores
from halluscope.evaluation.comparison import CorpusScores, holm, mean_gain
from halluscope.files import written_whole
from halluscope.lm.primer import PRIMER

SEEDS, LIMIT = 3, 900
CLOSELY = ("stack", "SAPLMA", "best-layer probe")
"""Baselines whose probabilities are looked at beyond their ranking, as the best one's are."""
VARIANTS = ("own", "no_primer")
"""Options whose results are kept apart."""
QUICK = {"only": ("animals", "cities", "trivia"), "limit": 300, "seeds": 1}


def main() -> None:
    """Run the command line."""
    parser = new_parser("python -m benchmarks.accuracy", __doc__, LIMIT)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how often the groups are folded anew")
    add_jobs(parser)
    parser.add_argument(
        "--own",
        action="store_true",
        help="the answers are the language model's own (benchmarks.on_policy): measures EigenScore too",
    )
    parser.add_argument("--quick", action="store_true", help="three small corpora, one seed; writes nothing")
    parser.add_argument(
        "--no-primer",
        action="store_true",
        help="answers behind their own prompts alone, for the detector and the strongest baselines; "
        "writes MODEL.no_primer.json",
    )
    arguments = parser.parse_args()
    if arguments.quick:
        vars(arguments).update(QUICK)
    lm = LanguageModel.from_pretrained(arguments.model)
    primer = () if arguments.no_primer else PRIMER
    corpora = read_corpora(
        lm, arguments.data, arguments.cache, limit=arguments.limit, only=arguments.only, primer=primer
    )
    methods = METHODS_ON_OWN if arguments.own else BESIDE if arguments.no_primer else METHODS
    baselines = measurable(list(methods), lm.name)
    options = "".join(f" --{name.replace('_', '-')}" for name in VARIANTS if getattr(arguments, name))
    scores: dict[str, CorpusScores] = {}
    for seed in range(arguments.seeds):
        work = functools.partial(measure, seed=seed, baselines=baselines)
        for name in each_corpus(work, corpora, jobs=arguments.jobs, model=arguments.model):
            limit_size(arguments.cache, arguments.cache_gb)
            load_measured(corpora, arguments.seeds, baselines, scores)
            best = scores[name].best_of(baselines)
            ours, theirs = (scores[name].auroc(method) for method in (OURS, best))
            print(f"seed {seed}, {name}: {OURS} {ours:.3f}, {best} {theirs:.3f}", flush=True)
            results = {
                "command": f"python -m benchmarks.accuracy --data DIR --model {lm.name}"
                f" --seeds {arguments.seeds} --limit {arguments.limit}{options}",
                "model": lm.name,
                "dtype": str(lm.model.dtype).removeprefix("torch."),
                "limit": arguments.limit,
                "seeds": {c.name: count_seeds(scores[c.name]) if c.name in scores else 0 for c in corpora},
                **summarise({c.name: scores[c.name] for c in corpora if c.name in scores}),
            }
            if not arguments.only:
                variant = next((name for name in VARIANTS if getattr(arguments, name)), "")
                with written_whole(results_path(lm.name, variant)) as unfinished:
                    unfinished.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(means_table(results))


def load_measured(
    corpora: Sequence[Corpus], most: int, baselines: Sequence[str], scores: dict[str, CorpusScores]
) -> None:
    """Bring the scores up to what is kept by now; what is there already keeps its resamples."""
    for corpus in corpora:
        seeds = seeds_kept(corpus, most, baselines)
        if seeds and (corpus.name not in scores or seeds > count_seeds(scores[corpus.name])):
            scores[corpus.name] = load_scores(corpus, seeds, baselines)


def count_seeds(scores: CorpusScores) -> int:
    """How many seeds an AUROC is the mean of."""
    return len(scores.scores[OURS])


def seeds_kept(corpus: Corpus, most: int, baselines: Sequence[str]) -> int:
    """How many seeds, from the first on, have been measured with all methods."""
    methods = (*DETECTORS, *baselines)
    whole = (all(corpus.path(method, seed).exists() for method in methods) for seed in range(most))
    return len(list(takewhile(bool, whole)))


def summarise(corpora: dict[str, CorpusScores]) -> dict[str, Any]:
    """Every method on every corpus, and the mean gains over each baseline with Holm's correction.

    The means are over the corpora that count, or over all where none does.
    """
    names = [name for name in corpora if name not in GIVEN_AWAY] or list(corpora)
    counted = [corpora[name] for name in names]
    baselines = baselines_of(counted[0])
    others = {method: [method] * len(counted) for method in baselines}
    others[BEST] = [corpus.best_of(baselines) for corpus in counted]
    gains = {name: mean_gain(counted, OURS, methods) for name, methods in others.items()}
    corrected = holm({name: gain.p for name, gain in gains.items()})
    closely = [name for name in (BEST, *CLOSELY) if name in others]
    with_prior = {name: mean_gain(counted, WITH_PRIOR, others[name]) for name in closely}
    with_prior[OURS] = mean_gain(counted, WITH_PRIOR, [OURS] * len(counted))
    return {
        "counted": names,
        "corpora": {name: _row(corpus) for name, corpus in corpora.items()},
        "means": {
            method: float(np.mean([corpus.auroc(method) for corpus in counted]))
            for method in counted[0].scores
        },
        "gains": {name: asdict(gain) | {"holm": corrected[name]} for name, gain in gains.items()},
        "gains_with_prior": {name: asdict(gain) for name, gain in with_prior.items()},
    }


def baselines_of(corpus: CorpusScores) -> list[str]:
    """The methods that the detector is compared with."""
    return [method for method in corpus.scores if is_baseline(method)]


def _row(corpus: CorpusScores) -> dict[str, Any]:
    """One corpus; metrics other than AUROC and pair accuracy on the first seed, with their intervals."""
    best = corpus.best_of(baselines_of(corpus))
    return {
        "n": len(corpus.labels),
        "n_groups": len(set(corpus.groups)),
        "n_matched": len(corpus.matched),
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
