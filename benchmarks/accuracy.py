"""Which white-box detector is the most accurate? ``python -m benchmarks.accuracy --data DIR``.

On every labelled file of a folder, the detector and all baselines are measured out of fold on the same
recorded states and the same grouped folds, several seeds over. Recorded states and out-of-fold probabilities
are kept in a cache folder, so that a run that was stopped goes on where it was, and a change to the detector
repeats the detector only. Writes ``benchmarks/results/accuracy/MODEL.json``; ``make tables`` renders it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import platformdirs

import halluscope
from benchmarks.corpora import whole_groups
from benchmarks.tables import GIVEN_AWAY
from halluscope import Detector, LanguageModel
from halluscope.detector.labelled import LabelledPairs, check_labelled, training_digest
from halluscope.evaluation.attention import ATTENTION, ICR, SELF_ATTENTION, record_attention
from halluscope.evaluation.baselines import BASELINES, PUBLISHED
from halluscope.evaluation.comparison import CorpusScores, holm, mean_gain
from halluscope.evaluation.contrast import CONTRAST
from halluscope.evaluation.evaluate import ABLATIONS, cross_validate
from halluscope.evaluation.folds import out_of_fold
from halluscope.evaluation.layer_numbers import LAYER_NUMBERS
from halluscope.evaluation.prompted import P_TRUE, PRISM, PROMPTED, record_p_true, record_statements
from halluscope.evaluation.recording import record_pairs
from halluscope.folds import grouped_folds
from halluscope.lm.catalogue import DEFAULT_MODEL, KNOWN_MODELS
from halluscope.lm.stored import StoredStates
from halluscope.records import Pair, read_records

RESULTS = Path(__file__).parent / "results" / "accuracy"
OURS = "halluscope"
METHODS = {**BASELINES, **PUBLISHED, **PROMPTED, **ATTENTION}
PASSES: dict[tuple[str, ...], Callable[[LanguageModel, Sequence[Pair]], dict[str, Any]]] = {
    (P_TRUE,): record_p_true,
    (PRISM, CONTRAST): record_statements,
    (SELF_ATTENTION, ICR): record_attention,
}
"""Passes through the language model beside the first, by what they record."""
FOLDS, SEEDS, LIMIT = 5, 3, 900
QUICK = {"corpora": ("animals", "cities", "trivia"), "limit": 300, "seeds": 1}
_SOURCES = {
    True: ("lm", "surfaces", "features", "detector", "folds.py"),
    False: ("lm", "evaluation", "detector/states.py", "folds.py"),
}
"""What the probabilities of the detector (True) and of the baselines (False) depend on."""

Scores = npt.NDArray[np.float64]


def main() -> None:
    """Run the command line."""
    cache = platformdirs.user_cache_path("halluscope") / "benchmarks"
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of labelled .jsonl files")
    parser.add_argument("--model", default=DEFAULT_MODEL, help=f"language model: {', '.join(KNOWN_MODELS)}")
    parser.add_argument("--only", nargs="*", help="names of files, without .jsonl")
    parser.add_argument("--limit", type=int, default=LIMIT, help="most records of a file, whole groups")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how often the groups are folded anew")
    parser.add_argument("--cache", type=Path, default=cache, help="folder of states and probabilities")
    parser.add_argument(
        "--cache-gb", type=float, default=20.0, help="states beyond this are removed, oldest first"
    )
    parser.add_argument("--quick", action="store_true", help="three small corpora, one seed; writes nothing")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.only, arguments.limit, arguments.seeds = QUICK["corpora"], QUICK["limit"], QUICK["seeds"]
    paths = sorted(p for p in arguments.data.glob("*.jsonl") if not p.name.endswith(".questions.jsonl"))
    wanted = [path for path in paths if not arguments.only or path.stem in arguments.only]
    if not wanted:
        raise SystemExit(f"no labelled .jsonl files to measure in {arguments.data}")
    lm = LanguageModel.from_pretrained(arguments.model)
    corpora = {}
    for path in wanted:
        pairs = whole_groups(list(read_records(path, labelled=True)), arguments.limit, seed=0)
        run = Run(lm, check_labelled(pairs, None, None), arguments.cache / arguments.model / path.stem)
        corpora[path.stem] = run.scores(arguments.seeds)
        limit_size(arguments.cache, arguments.cache_gb)
        best = corpora[path.stem].best_of(list(METHODS))
        ours, theirs = (corpora[path.stem].auroc(method) for method in (OURS, best))
        print(f"{path.stem}: {OURS} {ours:.3f}, {best} {theirs:.3f}", flush=True)
    results = summarise(corpora) | {
        "model": arguments.model,
        "limit": arguments.limit,
        "seeds": arguments.seeds,
    }
    print(json.dumps(results["means"], indent=1))
    if arguments.quick or arguments.only:
        return
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{arguments.model}.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Run:
    """One corpus on one language model.

    Parameters
    ----------
    lm : LanguageModel
    labelled : LabelledPairs
        The corpus.
    cache : Path
        Folder for its states and probabilities.
    """

    lm: LanguageModel
    labelled: LabelledPairs
    cache: Path

    def scores(self, seeds: int) -> CorpusScores:
        """Out-of-fold probabilities of the detector, its ablations and all baselines, over some seeds."""
        ours = (OURS, *ABLATIONS)
        missing = [
            (method, seed)
            for seed in range(seeds)
            for method in (*ours, *METHODS)
            if not self._path(method, seed).exists()
        ]
        if missing:
            self._measure(missing)
        scores = {
            method: np.stack([np.load(self._path(method, seed)) for seed in range(seeds)])
            for method in (*ours, *METHODS)
        }
        return CorpusScores(self.labelled.hallucinated, self.labelled.groups.tolist(), scores)

    def _measure(self, missing: Sequence[tuple[str, int]]) -> None:
        y, groups = self.labelled.hallucinated, self.labelled.groups.tolist()
        states = self._states()
        needs = {need for method, _ in missing if method in METHODS for need in METHODS[method]().needs}
        recorded = record_pairs(self.lm, self.labelled, states, extras=sorted(needs & set(LAYER_NUMBERS)))
        for names, record in PASSES.items():
            if needs & set(names):
                extras = {**recorded.extras, **self._pass(names, record)}
                recorded = replace(recorded, extras=extras)
        for seed in sorted({seed for _, seed in missing}):
            folds = grouped_folds(y, groups, FOLDS, seed)
            methods = [method for method, s in missing if s == seed]
            if not set(methods) <= set(METHODS):
                detector = Detector(self.lm, seed=seed)
                own, ablations = cross_validate(detector, self.labelled, recorded, folds, states)
                for method, probability in {OURS: own, **ablations}.items():
                    save(self._path(method, seed), probability)
            for method in methods:
                if method in METHODS:
                    baseline = METHODS[method]()
                    if "random_state" in baseline.get_params():
                        baseline.set_params(random_state=seed)
                    save(self._path(method, seed), out_of_fold(baseline, recorded, y, groups, folds))

    def _states(self) -> StoredStates:
        tokenized = self.lm.tokenize_pairs(self.labelled.pairs)
        folder = self.cache / f"states-{self._digest('lm')}"
        if not folder.exists():
            StoredStates.record(self.lm, tokenized, folder)
        os.utime(folder)  # used last: removed last
        return StoredStates(folder)

    def _pass(self, names: Sequence[str], record: Callable[..., dict[str, Any]]) -> dict[str, Any]:
        path = self.cache / f"{'-'.join(names)}-{self._digest('lm', 'evaluation')}.npz"
        if not path.exists():
            save(path, record(self.lm, self.labelled.pairs))
        with np.load(path) as arrays:
            return dict(arrays)

    def _path(self, method: str, seed: int) -> Path:
        digest = self._digest(*_SOURCES[method not in METHODS])
        return self.cache / f"{method.replace(' ', '-')}-{seed}-{digest}.npy"

    def _digest(self, *sources: str) -> str:
        """Of the code in these folders and files, of the pairs, and of the language model."""
        root = Path(halluscope.__file__).parent
        digest = hashlib.sha256(training_digest(self.labelled).encode())
        digest.update(f"{self.lm.fingerprint} {self.lm.model.dtype} {FOLDS}".encode())
        for source in sources:
            place = root / source
            for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
                digest.update(path.read_bytes())
        return digest.hexdigest()[:16]


def summarise(corpora: dict[str, CorpusScores]) -> dict[str, Any]:
    """Every method on every corpus, and the mean gains over each baseline with Holm's correction."""
    fair = [name for name in corpora if name not in GIVEN_AWAY]
    rows = {
        name: {
            "n": len(corpus.labels),
            "n_groups": len(set(corpus.groups)),
            "best": corpus.best_of(list(METHODS)),
            "auroc": {method: corpus.interval(method) for method in corpus.scores},
            "pair_accuracy": {method: corpus.pair_accuracy(method) for method in corpus.scores},
        }
        for name, corpus in corpora.items()
    }
    counted = [corpora[name] for name in fair]
    others = {method: [method] * len(counted) for method in METHODS}
    others["best baseline of each corpus"] = [corpus.best_of(list(METHODS)) for corpus in counted]
    gains = {name: mean_gain(counted, OURS, methods) for name, methods in others.items()}
    corrected = holm({name: gain.p for name, gain in gains.items()})
    means = {
        method: float(np.mean([corpus.auroc(method) for corpus in counted])) for method in counted[0].scores
    }
    return {
        "counted": fair,
        "corpora": rows,
        "means": means,
        "gains": {name: asdict(gain) | {"holm": corrected[name]} for name, gain in gains.items()},
    }


def save(path: Path, values: Scores | dict[str, Any]) -> None:
    """Write an array, or several by name; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        if isinstance(values, dict):
            np.savez(file, **values)
        else:
            np.save(file, values)
    Path(file.name).replace(path)


def limit_size(cache: Path, gigabytes: float) -> None:
    """Remove recorded states, the longest unused first, until the rest fits."""
    folders = sorted(cache.glob("*/*/states-*"), key=lambda folder: folder.stat().st_mtime)
    sizes = [sum(file.stat().st_size for file in folder.iterdir()) for folder in folders]
    for folder, held in _beyond(folders, sizes, gigabytes * 1e9):
        shutil.rmtree(folder)
        print(f"removed {folder} ({held / 1e9:.1f} GB were held)")


def _beyond(folders: Sequence[Path], sizes: Sequence[int], most: float) -> Iterator[tuple[Path, float]]:
    """The first folders without which the others hold at most so many bytes."""
    held = float(sum(sizes))
    for folder, size in zip(folders[:-1], sizes, strict=False):  # the last is the one just used
        if held <= most:
            return
        yield folder, held
        held -= size


if __name__ == "__main__":
    main()
