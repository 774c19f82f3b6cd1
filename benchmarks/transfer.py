"""How well does a detector carry over? ``python -m benchmarks.transfer --data DIR``.

Three questions, all answered from recorded states. *All but one*: detector and baselines learn from some
pairs of every other corpus whose wording does not give the label away, and are tested on the one left out.
*Matrix*: they learn from one corpus and are tested on each other. *Across models*: the channels that need no
learned direction are learned on one language model and tested on another (`benchmarks.across_models`). Every
method learns from the very same pairs, none of which asks a question of the corpora it is tested on, and
makes all its choices among them. Intervals come from the groups tested on alone.

What is slow is kept in a cache folder, so that a run that was stopped goes on where it was. Writes
``benchmarks/results/transfer/MODEL.json``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.across_models import measure_across, summarise_across
from benchmarks.arguments import new_parser
from benchmarks.cache import (
    DETECTOR,
    METHODS,
    OURS,
    WITH_PRIOR,
    digest,
    is_baseline,
    limit_size,
    path_of,
    save,
)
from benchmarks.corpus import GIVEN_AWAY, Corpus, corpus_scores, read_corpora
from benchmarks.means import FACTS, compare, sets_of
from benchmarks.pooled import Pool, fit_detector, judge, judge_both, make_pool
from benchmarks.transfer_table import PROBE, RESULTS, transfer_table
from halluscope import Detector, LanguageModel
from halluscope.evaluation.comparison import CorpusScores, mean_gain
from halluscope.evaluation.recorded import PairClassifier
from halluscope.files import written_whole
from halluscope.lm.catalogue import KNOWN_MODELS
from halluscope.progress import progress_bar

OTHERS = ("length", "logprob", PROBE, "all-layer probe", "SAPLMA", "stack", "mass-mean")
"""What the detector is compared with in all but one; in the matrix it is `PROBE` alone."""
LIMIT, EACH = 900, 450
PARTS = ("all_but_one", "matrix", "across_models")


def main() -> None:
    """Run the command line."""
    parser = new_parser("python -m benchmarks.transfer", __doc__, LIMIT)
    parser.add_argument(
        "--each", type=int, default=EACH, help="most records of each corpus that all but one learns from"
    )
    parser.add_argument(
        "--across", nargs="*", help="other language models; all known ones if not given, no name for none"
    )
    parser.add_argument(
        "--parts",
        nargs="+",
        choices=PARTS,
        default=PARTS,
        help="what to measure; what an earlier run of the same limits has measured stays",
    )
    arguments = parser.parse_args()
    names = [arguments.model]
    names += [n for n in KNOWN_MODELS if n not in names] if arguments.across is None else arguments.across
    views = []
    for name in names:
        lm = LanguageModel.from_pretrained(name)
        views.append(
            read_corpora(lm, arguments.data, arguments.cache, limit=arguments.limit, only=arguments.only)
        )
    corpora = views[0]
    results: dict[str, Any] = {
        "command": f"python -m benchmarks.transfer --data DIR --model {arguments.model}"
        f" --limit {arguments.limit} --each {arguments.each}",
        "model": arguments.model,
        "limit": arguments.limit,
        "each": arguments.each,
    }
    folder = None if arguments.only else RESULTS
    if folder is not None:
        results |= _measured_before(results, folder)
    if len(corpora) > 1 and "all_but_one" in arguments.parts:
        pools = all_but_one(corpora, arguments.each)
        measure_all_but_one(corpora, pools)
        results["all_but_one"] = summarise_all_but_one(corpora, pools)
        _write(results, folder)
    if len(corpora) > 1 and "matrix" in arguments.parts:
        pools = one_each(corpora)
        measure_matrix(corpora, pools)
        results["matrix"] = summarise_matrix(corpora, pools)
        _write(results, folder)
    if len(views) > 1 and "across_models" in arguments.parts:
        by_corpus = list(zip(*views, strict=True))
        for seen in by_corpus:
            measure_across(seen)
        results["across_models"] = summarise_across(by_corpus)
        _write(results, folder)
    limit_size(arguments.cache, arguments.cache_gb)
    print(transfer_table(results))


def _measured_before(results: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Parts that an earlier run of the same command has written."""
    path = folder / f"{results['model']}.json"
    earlier = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if earlier.get("command") != results["command"]:
        return {}
    return {part: earlier[part] for part in PARTS if part in earlier}


def _write(results: Mapping[str, Any], folder: Path | None) -> None:
    if folder is not None:  # after every part, since the next may take an hour
        with written_whole(folder / f"{results['model']}.json") as unfinished:
            unfinished.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def all_but_one(corpora: Sequence[Corpus], each: int) -> dict[str, Pool]:
    """What is learned from for each corpus that is left out: at most so many records of every other.

    Corpora whose wording gives the label away are tested on and not learned from: they teach the wording.
    """
    facts = [corpus for corpus in corpora if corpus.name not in GIVEN_AWAY]
    return {
        tested.name: make_pool(
            f"all-but-{tested.name}", [corpus for corpus in facts if corpus is not tested], [tested], each
        )
        for tested in corpora
        if any(corpus is not tested for corpus in facts)
    }


def one_each(corpora: Sequence[Corpus]) -> dict[str, Pool]:
    """Each corpus by itself, without the questions that it shares with others."""
    return {
        trained.name: make_pool(trained.name, [trained], [other for other in corpora if other is not trained])
        for trained in corpora
    }


def kept_at(method: str, pool: Pool, tested: Corpus) -> Path:
    """Where the probabilities of a method that learned from a pool are kept."""
    labelled = [pool.labelled, tested.labelled]
    name = f"from-{pool.name}{f'-{tested.prior_mark}' if method == WITH_PRIOR else ''}"
    return path_of(tested.cache, method, name, [tested.lm], labelled)


def measure_all_but_one(corpora: Sequence[Corpus], pools: Mapping[str, Pool]) -> None:
    """Keep the probabilities of all methods on each corpus after learning from its pool."""
    for corpus in corpora:
        if corpus.name not in pools:
            continue
        pool = pools[corpus.name]
        paths = {method: kept_at(method, pool, corpus) for method in (OURS, WITH_PRIOR, *OTHERS)}
        missing = [method for method, path in paths.items() if not path.exists()]
        if not missing:
            continue
        recorded = pool.recorded(missing)
        if {OURS, WITH_PRIOR} & set(missing):
            missing = [method for method in missing if is_baseline(method)]
            detector = fit_detector(pool, recorded, prior=corpus.heeds_prior)
            for method, probability in zip((OURS, WITH_PRIOR), judge_both(detector, corpus), strict=True):
                save(paths[method], probability)
        tested = corpus.recorded(missing)
        with progress_bar(f"Baselines, {pool.name}", len(missing)) as advance:
            for method in missing:
                y, groups = pool.labelled.hallucinated, pool.labelled.groups.tolist()
                fitted = METHODS[method]().fit(recorded, y, groups)
                save(paths[method], fitted.predict_proba(tested)[:, 1])
                advance(1)


def measure_matrix(corpora: Sequence[Corpus], pools: Mapping[str, Pool]) -> None:
    """Keep the probabilities of detector and probe for each corpus learned from and each other tested.

    All are fitted first and then heard together, corpus by corpus: the states of a corpus are read as often
    for many corpora as for two.
    """
    unjudged = [
        (trained.name, tested)
        for trained in corpora
        for tested in corpora
        if tested is not trained
        and not all(kept_at(method, pools[trained.name], tested).exists() for method in (OURS, PROBE))
    ]
    fitted: dict[str, tuple[Detector, PairClassifier]] = {}
    with progress_bar("Training on one", len({name for name, _ in unjudged})) as advance:
        for name in dict.fromkeys(name for name, _ in unjudged):
            fitted[name] = _fit_both(pools[name])
            advance(1)
    with progress_bar("Testing on the others", len(corpora)) as advance:
        for tested in corpora:
            names = [name for name, corpus in unjudged if corpus is tested]
            if names:
                recorded = tested.recorded([PROBE])
                own = judge([fitted[name][0] for name in names], tested)
                for name, probability in zip(names, own, strict=True):
                    save(kept_at(OURS, pools[name], tested), probability)
                    theirs = fitted[name][1].predict_proba(recorded)[:, 1]
                    save(kept_at(PROBE, pools[name], tested), theirs)
            advance(1)


def _fit_both(pool: Pool) -> tuple[Detector, PairClassifier]:
    """Detector and probe; the detector, which is slow, is kept."""
    folder = pool.corpora[0].cache / f"detector-{digest(DETECTOR, [pool.lm], [pool.labelled])}"
    recorded = pool.recorded([PROBE])
    probe = METHODS[PROBE]().fit(recorded, pool.labelled.hallucinated, pool.labelled.groups.tolist())
    if not folder.exists():
        # judged as it is loaded, so that a run that goes on gives what one without a break does
        fit_detector(pool, recorded).save(folder)
    return Detector.load(folder, pool.lm), probe


def summarise_all_but_one(corpora: Sequence[Corpus], pools: Mapping[str, Pool]) -> dict[str, Any]:
    """What `measure_all_but_one` has kept, with the size of each pool."""
    scores = {
        corpus.name: _scores(
            corpus,
            {
                method: [np.load(kept_at(method, pools[corpus.name], corpus))]
                for method in (OURS, WITH_PRIOR, *OTHERS)
            },
        )
        for corpus in corpora
        if corpus.name in pools
    }
    sizes = {name: len(pool.labelled.pairs) for name, pool in pools.items()}
    with_prior = {
        title: asdict(mean_gain([scores[n] for n in names], WITH_PRIOR, [PROBE] * len(names)))
        for title, names in sets_of(scores).items()
    }
    return {"trained_on": sizes, **compare(scores, sets_of(scores)), "with_prior": with_prior}


def summarise_matrix(corpora: Sequence[Corpus], pools: Mapping[str, Pool]) -> dict[str, Any]:
    """What `measure_matrix` has kept.

    ``cells`` holds the AUROCs by the corpus learned from and the one tested on. ``corpora`` and ``means`` are
    means over the corpora learned from, without those whose wording gives the label away.
    """
    learned_from = sets_of(pools).get(FACTS, list(pools))
    cells: dict[str, dict[str, Any]] = {name: {} for name in pools}
    scores = {}
    for tested in corpora:
        kept = {
            name: {method: np.load(kept_at(method, pool, tested)) for method in (OURS, PROBE)}
            for name, pool in pools.items()
            if name != tested.name
        }
        for name, found in kept.items():
            one = _scores(tested, {method: [probability] for method, probability in found.items()})
            cells[name][tested.name] = {method: one.interval(method) for method in found}
        teachers = [name for name in kept if name in learned_from]
        if teachers:
            together = {method: [kept[name][method] for name in teachers] for method in (OURS, PROBE)}
            scores[tested.name] = _scores(tested, together)
    sizes = {name: len(pool.labelled.pairs) for name, pool in pools.items()}
    return {"trained_on": sizes, "cells": cells, **compare(scores, sets_of(scores))}


def _scores(corpus: Corpus, scores: Mapping[str, Sequence[np.ndarray[Any, Any]]]) -> CorpusScores:
    stacked = {method: np.stack(probabilities) for method, probabilities in scores.items()}
    return corpus_scores(corpus.name, corpus.labelled, stacked)


if __name__ == "__main__":
    main()
