"""Build a detector that ships with halluscope: ``python -m models.build``.

Builds the fact corpus, measures by grouped cross-validation how well a detector can be trained on it, trains
the detector on all kinds of fact but the held-out ones, teaches it the language model's own answers where
``python -m models.answers`` has asked for them, measures it on the held-out kinds, and writes detector,
results and model card to ``models/NAME``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from halluscope import Detector, LanguageModel
from halluscope.detector.labelled import check_labelled, training_digest
from halluscope.detector.manifest import read_manifest
from halluscope.evaluation.evaluate import evaluate
from halluscope.evaluation.recorded import RecordedPairs
from halluscope.evaluation.recording import record_pairs
from halluscope.evaluation.report import print_results
from halluscope.evaluation.transfer import evaluate_transfer
from halluscope.lm.catalogue import DEFAULT_MODEL
from halluscope.lm.stored import StoredStates
from halluscope.progress import progress_bar
from halluscope.records import Pair, as_pairs
from halluscope.surfaces.measures import LENS_EVERY
from models.answers import own_pairs, was_asked
from models.card import write_card
from models.facts import HELD_OUT_KINDS, build_pairs, unknown_kinds
from models.facts.split import is_trained_on
from models.own import learn_own_answers, measure_own_answers

MODELS = Path(__file__).parent
FOLDS = 3  # each is a detector trained on ten thousand pairs: more of them take hours and say the same
BASELINES = ("length", "logprob", "best-layer probe")
"""Beside the detector; the text-only classifier is in the corpus's own table (``python -m models.facts``)."""


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m models.build", description=__doc__)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="known name of the language model")
    parser.add_argument("--seed", type=int, default=0, help="for the corpus, the folds and the boosting")
    parser.add_argument(
        "--keep", action="store_true", help="keep what was learned from given answers, and do the rest anew"
    )
    arguments = parser.parse_args()
    build(arguments.model, arguments.seed, MODELS / arguments.model, keep=arguments.keep)


def build(model: str, seed: int, folder: Path, *, keep: bool = False) -> None:
    """Train, measure and write one detector.

    Parameters
    ----------
    model : str
        Known name of the language model.
    seed : int
        For the corpus, the folds and the boosting.
    folder : Path
        Where detector, ``results.json`` and ``README.md`` go.
    keep : bool, default False
        Keep the detector that is there, with what its cross-validation gave: teach it the language model's
        own answers, and measure it on the held-out kinds.
    """
    start = time.perf_counter()
    unknown = unknown_kinds(model)
    pairs = as_pairs(build_pairs(seed, unknown))
    known = [pair for pair in pairs if is_trained_on(str(pair.topic), unknown)]
    own = own_pairs(model, seed) if was_asked(model) else []
    lm = LanguageModel.from_pretrained(model)
    detector = Detector.load(folder, lm) if keep else Detector(lm, prior=False, seed=seed)
    if keep and detector.training_["digest"] != training_digest(check_labelled(known, None, None)):
        raise SystemExit(f"{folder}: trained on another corpus: build it without --keep")
    with tempfile.TemporaryDirectory(dir=folder, prefix=".build-") as temporary:
        states = record(detector, pairs, Path(temporary) / "states")
        recorded = record_pairs(
            detector.lm, check_labelled(known, None, None), states, primer=detector.primer
        )
        inside = (
            json.loads((folder / "results.json").read_text(encoding="utf-8"))["cross_validated"]
            if keep
            else train(detector, known, recorded, states)
        )
        of_own = {}
        if own:
            own_states = record(detector, own, Path(temporary) / "own")
            learn_own_answers(detector, own, own_states, known, states)
            held_out = {"own answers, held-out kinds": [pair for pair in own if pair.topic in HELD_OUT_KINDS]}
            of_own = measure_own_answers(detector, own, held_out, source=own_states, baselines=BASELINES)
        sets = {
            name: [pair for pair in pairs if pair.topic in kinds]
            for name, kinds in measured_kinds(unknown).items()
        }
        outside = evaluate_transfer(
            detector, known, sets, recorded=recorded, source=states, baselines=BASELINES, seed=seed
        )
        for file in detector.save(Path(temporary) / folder.name).iterdir():
            file.replace(folder / file.name)  # beside what is known of the language model
    results: dict[str, Any] = {
        "command": f"python -m models.build --model {model} --seed {seed}",
        "kinds": sorted({str(pair.topic) for pair in known}),
        "held_out_kinds": list(HELD_OUT_KINDS),
        "unknown_kinds": list(unknown),
        "knowledge": json.loads((folder / "knowledge.json").read_text(encoding="utf-8")),
        "cross_validated": inside,
        "held_out": outside,
        "own_answers": of_own,
        "minutes": round((time.perf_counter() - start) / 60, 1),
    }
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    write_card(folder, results, read_manifest(folder))
    print(f"{folder}: built in {results['minutes']} minutes from {inside['n']} pairs")


def record(detector: Detector, pairs: Sequence[Pair], folder: Path) -> StoredStates:
    """What the language model shows of pairs, on disk."""
    tokenized = detector.tokenize(pairs)
    with progress_bar("Reading answers", len(tokenized)) as advance:
        return StoredStates.record(detector.lm, tokenized, folder, lens_every=LENS_EVERY, progress=advance)


def train(
    detector: Detector, known: Sequence[Pair], recorded: RecordedPairs, states: StoredStates
) -> dict[str, Any]:
    """Fit the detector, and measure by cross-validation what such a detector is worth.

    Parameters
    ----------
    detector : Detector
        Not fitted; fitted afterwards.
    known : sequence of Pair
        Of the kinds of fact that the language model knows.
    recorded : RecordedPairs
        What `record_pairs` gives for them.
    states : StoredStates
        Of these pairs.

    Returns
    -------
    dict
        See `halluscope.evaluation.evaluate`.
    """
    results, _ = evaluate(
        detector,
        known,
        n_folds=FOLDS,
        seed=detector.seed,
        baselines=BASELINES,
        ablations={},
        fit=True,
        recorded=recorded,
        source=states,
    )
    print_results(results)
    return results


def measured_kinds(unknown: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Kinds of fact that are not trained on, by the name under which the detector is measured on them."""
    return {
        "held-out kinds": HELD_OUT_KINDS,
        **{kind: (kind,) for kind in HELD_OUT_KINDS},
        "kinds that the model hardly knows": unknown,
    }


if __name__ == "__main__":
    main()
