"""Build a detector that ships with halluscope: ``python -m models.build``.

Builds the fact corpus, measures by grouped cross-validation how well a detector can be trained on it, trains
the detector on all kinds of fact but the held-out ones, measures it on those, and writes detector, results
and model card to ``models/NAME``.
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
from halluscope.detector.labelled import check_labelled
from halluscope.evaluation.evaluate import evaluate
from halluscope.evaluation.recording import record_pairs
from halluscope.evaluation.report import print_results
from halluscope.evaluation.transfer import evaluate_transfer
from halluscope.lm.catalogue import DEFAULT_MODEL
from halluscope.lm.stored import StoredStates
from halluscope.progress import progress_bar
from halluscope.records import Pair, as_pairs
from halluscope.surfaces.measures import LENS_EVERY
from models.card import write_card
from models.facts import HELD_OUT_KINDS, build_pairs, unknown_kinds
from models.facts.split import is_trained_on

MODELS = Path(__file__).parent
FOLDS = 3  # each is a detector trained on ten thousand pairs: more of them take hours and say the same
BASELINES = ("length", "logprob", "best-layer probe")
"""Beside the detector; the text-only classifier is in the corpus's own table (``python -m models.facts``)."""


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m models.build", description=__doc__)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="known name of the language model")
    parser.add_argument("--seed", type=int, default=0, help="for the corpus, the folds and the boosting")
    arguments = parser.parse_args()
    build(arguments.model, arguments.seed, MODELS / arguments.model)


def build(model: str, seed: int, folder: Path) -> None:
    """Train, measure and write one detector.

    Parameters
    ----------
    model : str
        Known name of the language model.
    seed : int
        For the corpus, the folds and the boosting.
    folder : Path
        Where detector, ``results.json`` and ``README.md`` go.
    """
    start = time.perf_counter()
    unknown = unknown_kinds(model)
    pairs = as_pairs(build_pairs(seed, unknown))
    lm = LanguageModel.from_pretrained(model)
    detector = Detector(lm, prior=False, seed=seed)
    tokenized = detector.tokenize(pairs)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".build-") as temporary:
        with progress_bar("Reading answers", len(tokenized)) as advance:
            place = Path(temporary) / "states"
            states = StoredStates.record(lm, tokenized, place, lens_every=LENS_EVERY, progress=advance)
        inside, outside = measure(detector, pairs, unknown, states)
        for file in detector.save(Path(temporary) / folder.name).iterdir():
            file.replace(folder / file.name)  # beside what is known of the language model
    results: dict[str, Any] = {
        "command": f"python -m models.build --model {model} --seed {seed}",
        "kinds": sorted({str(p.topic) for p in pairs if is_trained_on(str(p.topic), unknown)}),
        "held_out_kinds": list(HELD_OUT_KINDS),
        "unknown_kinds": list(unknown),
        "knowledge": json.loads((folder / "knowledge.json").read_text(encoding="utf-8")),
        "cross_validated": inside,
        "held_out": outside,
        "minutes": round((time.perf_counter() - start) / 60, 1),
    }
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    write_card(folder, results, detector.training_)
    print(f"{folder}: built in {results['minutes']} minutes from {inside['n']} pairs")


def measure(
    detector: Detector, pairs: Sequence[Pair], unknown: tuple[str, ...], states: StoredStates
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Fit the detector on the kinds of fact that the language model knows, and measure it.

    Parameters
    ----------
    detector : Detector
        Not fitted; fitted afterwards.
    pairs : sequence of Pair
        Of all kinds.
    unknown : tuple of str
        Kinds that the language model hardly knows.
    states : StoredStates
        Of all pairs.

    Returns
    -------
    inside : dict
        By grouped cross-validation, see `halluscope.evaluation.evaluate`.
    outside : dict
        On kinds that it was not trained on, see `halluscope.evaluation.transfer`.
    """
    known = [pair for pair in pairs if is_trained_on(str(pair.topic), unknown)]
    recorded = record_pairs(detector.lm, check_labelled(known, None, None), states, primer=detector.primer)
    seed = detector.seed
    inside, _ = evaluate(
        detector,
        known,
        n_folds=FOLDS,
        seed=seed,
        baselines=BASELINES,
        ablations={},
        fit=True,
        recorded=recorded,
        source=states,
    )
    print_results(inside)
    sets = {"held-out kinds": HELD_OUT_KINDS, **{kind: (kind,) for kind in HELD_OUT_KINDS}}
    sets["kinds that the model hardly knows"] = unknown
    outside = evaluate_transfer(
        detector,
        known,
        {name: [pair for pair in pairs if pair.topic in kinds] for name, kinds in sets.items()},
        recorded=recorded,
        source=states,
        baselines=BASELINES,
        seed=seed,
    )
    return inside, outside


if __name__ == "__main__":
    main()
