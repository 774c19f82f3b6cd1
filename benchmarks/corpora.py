"""How well can a detector be trained on each corpus? ``python -m benchmarks.corpora --data DIR``.

Runs `halluscope.evaluation.evaluate` (grouped 5-fold cross-validation beside all baselines, on the same folds
and recordings) on every labelled file of a folder and writes ``benchmarks/results/corpora.json`` after each;
what is in there already is not run again.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path
from typing import Any

from halluscope import Detector, LanguageModel
from halluscope.evaluation.evaluate import evaluate
from halluscope.evaluation.report import print_results
from halluscope.records import Pair, read_records

RESULTS = Path(__file__).parent / "results" / "corpora.json"


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.corpora", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of labelled .jsonl files")
    parser.add_argument("--model", default="smollm2-135m-instruct", help="language model")
    parser.add_argument("--limit", type=int, default=900, help="most records of a file, whole groups")
    parser.add_argument("--only", nargs="*", help="names of files, without .jsonl")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    paths = sorted(p for p in arguments.data.glob("*.jsonl") if not p.name.endswith(".questions.jsonl"))
    lm = LanguageModel.from_pretrained(arguments.model)
    for path in paths:
        if arguments.only and path.stem not in arguments.only:
            continue
        done = load_results()
        key = f"{arguments.model}/{path.stem}"
        settings = {"limit": arguments.limit, "seed": arguments.seed}
        if done.get(key, {}).get("settings") == settings:
            continue
        start = time.perf_counter()
        pairs = whole_groups(list(read_records(path, labelled=True)), arguments.limit, arguments.seed)
        results, _ = evaluate(Detector(lm, seed=arguments.seed), pairs, seed=arguments.seed)
        print(path.stem)
        print_results(results)
        minutes = round((time.perf_counter() - start) / 60, 1)
        done[key] = {"settings": settings, "minutes": minutes, **results}
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(done, indent=1) + "\n", encoding="utf-8")


def load_results() -> dict[str, Any]:
    """What has been run so far, by ``model/corpus``."""
    if not RESULTS.exists():
        return {}
    results: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return results


def whole_groups(pairs: list[Pair], limit: int, seed: int) -> list[Pair]:
    """A random part of the pairs, of about `limit`, that splits no group."""
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(pair.fold_group, []).append(pair)
    order = sorted(groups)
    random.Random(seed).shuffle(order)  # noqa: S311 - a sample, not a secret
    chosen: list[Pair] = []
    for group in order:
        if len(chosen) >= limit:
            break
        chosen += groups[group]
    return chosen


if __name__ == "__main__":
    main()
