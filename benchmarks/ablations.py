"""What does the detector rest on? ``python -m benchmarks.ablations --data DIR``.

On every labelled file of a folder whose wording does not give the label away, out of fold and on the same
folds as the whole detector: every family of features and every channel alone and left out; surfaces with
their tokens, their layers or both shuffled; answers cut to one length; random directions instead of readings;
and labels permuted, which must give 0.5. Writes ``benchmarks/results/ablations/MODEL.json``. What is measured
is kept, and a stopped run goes on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ablating import PERMUTED, measure, permuted
from benchmarks.arguments import add_jobs, new_parser
from benchmarks.cache import OURS, limit_size
from benchmarks.corpus import GIVEN_AWAY, corpus_scores, read_corpora
from benchmarks.means import FACTS, Results, compare, sets_of
from benchmarks.parallel import each_corpus
from halluscope import LanguageModel
from halluscope.evaluation.metrics import auroc
from halluscope.lm.catalogue import DEFAULT_MODEL

RESULTS = Path(__file__).parent / "results" / "ablations"
LIMIT = 300


def main() -> None:
    """Run the command line."""
    parser = new_parser("python -m benchmarks.ablations", __doc__, LIMIT)
    add_jobs(parser)
    arguments = parser.parse_args()
    lm = LanguageModel.from_pretrained(arguments.model)
    corpora = [
        corpus
        for corpus in read_corpora(
            lm, arguments.data, arguments.cache, limit=arguments.limit, only=arguments.only
        )
        if corpus.name not in GIVEN_AWAY
    ]
    for _ in each_corpus(measure, corpora, jobs=arguments.jobs, model=arguments.model):
        limit_size(arguments.cache, arguments.cache_gb)
    scores, chance = {}, {}
    for corpus in corpora:
        found = measure(corpus)  # from what was kept
        chance[corpus.name] = auroc(permuted(corpus).hallucinated, found.pop(PERMUTED))
        one_seed = {name: probability[None] for name, probability in found.items()}
        scores[corpus.name] = corpus_scores(corpus.name, corpus.labelled, one_seed)
    results = {
        "command": f"python -m benchmarks.ablations --data DIR --model {lm.name} --limit {arguments.limit}",
        "limit": arguments.limit,
        **compare(scores, sets_of(scores)),
        PERMUTED: chance,
    }
    print(ablations_table(results))
    if not arguments.only:
        RESULTS.mkdir(parents=True, exist_ok=True)
        text = json.dumps(results, indent=1) + "\n"
        (RESULTS / f"{lm.name}.json").write_text(text, encoding="utf-8")


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
        f"About {results['limit']} answers of a corpus, 5 grouped folds, one seed.",
    ]
    return "\n".join(lines)


def _gain(gain: Mapping[str, Any]) -> str:
    found = gain["mean"]
    return f"{found['value']:+.3f} ({found['low']:+.3f} to {found['high']:+.3f})"


if __name__ == "__main__":
    main()
