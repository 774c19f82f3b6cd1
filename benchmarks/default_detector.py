"""How well does the shipped detector carry over? ``python -m benchmarks.default_detector --data DIR``.

Measures the detector that ships for a language model on corpora that it was not trained on, and on the 20
questions of ``well_known.jsonl``, beside baselines trained on the very pairs that it was trained on. Some of
their subjects occur in its training or its primer, in other statements, and its design was chosen on
SmolLM2 with the labels of these corpora: see the README. With ``--own FOLDER``, what
``benchmarks.on_policy`` wrote, also on the language model's own answers, beside baselines trained on those
that it was trained on. Writes ``benchmarks/results/default_detector/MODEL.json``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from halluscope import Detector, LanguageModel
from halluscope.detector.labelled import check_labelled, training_digest
from halluscope.detector.shipped import shipped_detector
from halluscope.evaluation.transfer import evaluate_transfer
from halluscope.lm.catalogue import DEFAULT_MODEL, KNOWN_MODELS
from halluscope.records import as_pairs, read_records
from models.answers import own_pairs
from models.build import BASELINES
from models.facts import build_pairs
from models.facts.split import is_trained_on, unknown_kinds
from models.own import ALONE, measure_own_answers

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "default_detector"
CORPORA = ("animals", "elements", "companies", "inventions", "trivia")
OWN_CORPORA = ("nq", "popqa")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.default_detector", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of labelled .jsonl files")
    parser.add_argument("--model", default=DEFAULT_MODEL, help=f"language model: {', '.join(KNOWN_MODELS)}")
    parser.add_argument("--corpora", nargs="*", default=CORPORA, help="names of files, without .jsonl")
    parser.add_argument("--own", type=Path, help="folder of the language model's own labelled answers")
    parser.add_argument("--quick", action="store_true", help="without baselines; prints, writes nothing")
    arguments = parser.parse_args()
    lm = LanguageModel.from_pretrained(arguments.model)
    detector = Detector.load(shipped_detector(arguments.model), lm)
    unknown = {"well known": list(read_records(HERE / "well_known.jsonl", labelled=True))}
    for name in arguments.corpora:
        unknown[name] = list(read_records(arguments.data / f"{name}.jsonl", labelled=True))
    hardly = unknown_kinds(arguments.model)
    corpus = as_pairs(build_pairs(detector.seed, hardly))
    known = [pair for pair in corpus if is_trained_on(str(pair.topic), hardly)]
    if training_digest(check_labelled(known, None, None)) != detector.training_["digest"]:
        raise SystemExit("the shipped detector was trained on another corpus: run make models")
    baselines = () if arguments.quick else BASELINES
    results = evaluate_transfer(detector, known, unknown, baselines=baselines)
    if arguments.own:
        own = own_pairs(arguments.model, detector.seed)
        files = {f"own answers: {name}": arguments.own / f"{name}.jsonl" for name in OWN_CORPORA}
        answers = {name: list(read_records(file, labelled=True)) for name, file in files.items()}
        results |= measure_own_answers(detector, own, answers, baselines=baselines)
    for name, result in results.items():
        print(summary(name, result))
    if arguments.quick:
        return
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{lm.name}.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def summary(name: str, result: Mapping[str, Any]) -> str:
    """AUROCs of the detector and the baselines, and how its mean probability compares with the labels."""
    alone = {ALONE: result[ALONE]} if ALONE in result else {}
    scores = {"halluscope": result["metrics"], **alone, **result["baselines"]}
    means = [f"{result['mean']:.3f}", *(f"{ALONE} {found['mean']['value']:.3f}" for found in alone.values())]
    aurocs = [f"{method} {metrics['auroc']['value']:.3f}" for method, metrics in scores.items()]
    false = f"{result['hallucinated']:.3f} false"
    return f"{name}: {', '.join(aurocs)}; {false}, mean probability {', '.join(means)}"


if __name__ == "__main__":
    main()
