"""A labelled corpus as one language model records it, with all that is slow kept on disk.

What is kept is named after a digest of the pairs, the model and the code that it came from: a change to the
detector measures the detector anew and nothing else.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import halluscope
from benchmarks.corpora import whole_groups
from halluscope import LanguageModel
from halluscope.detector.labelled import LabelledPairs, check_labelled, training_digest
from halluscope.evaluation.attention import ATTENTION, ICR, SELF_ATTENTION, record_attention
from halluscope.evaluation.baselines import BASELINES, PUBLISHED
from halluscope.evaluation.contrast import CONTRAST
from halluscope.evaluation.extras import EXTRAS
from halluscope.evaluation.prompted import P_TRUE, PRISM, PROMPTED, record_p_true, record_statements
from halluscope.evaluation.recorded import PairClassifier, RecordedPairs, needed
from halluscope.evaluation.recording import record_pairs
from halluscope.evaluation.sampled import EIGENSCORE, SAMPLED, record_eigenscore
from halluscope.lm.stored import StoredStates
from halluscope.records import Pair, read_records

METHODS = {**BASELINES, **PUBLISHED, **PROMPTED, **ATTENTION}
"""Every baseline that reads given answers, by its published name."""
PASSES: dict[tuple[str, ...], Callable[[LanguageModel, Sequence[Pair]], dict[str, Any]]] = {
    (P_TRUE,): record_p_true,
    (PRISM, CONTRAST): record_statements,
    (SELF_ATTENTION, ICR): record_attention,
    (EIGENSCORE,): record_eigenscore,
}
"""Passes through the language model beside the first, by what they record."""

RECORDING = tuple(
    f"lm/{name}.py"
    for name in ("anatomy", "language_model", "messages", "offsets", "recording", "stored", "tokens")
)
DETECTOR = (*RECORDING, "surfaces", "features", "detector", "folds.py", "evaluation/evaluate.py")
BASELINE = (
    *RECORDING,
    "folds.py",
    "detector/states.py",
    *(f"evaluation/{name}.py" for name in ("choosing", "folds", "linear", "probes", "recorded", "recording")),
)
"""What recorded states, the detector's probabilities and any baseline's depend on."""

Array = npt.NDArray[Any]


def read_corpora(
    lm: LanguageModel,
    paths: Sequence[Path],
    cache: Path,
    *,
    limit: int,
    only: Sequence[str] | None = None,
) -> list[Corpus]:
    """The labelled files of some folders, in the order of their names.

    Parameters
    ----------
    lm : LanguageModel
    paths : sequence of Path
        Folders of labelled ``.jsonl`` files.
    cache : Path
        For recorded states and probabilities.
    limit : int
        Most records of a file, whole groups.
    only : sequence of str, optional
        Names of files, without ``.jsonl``.
    """
    files = sorted(
        file
        for path in paths
        for file in path.glob("*.jsonl")
        if not file.name.endswith(".questions.jsonl") and (not only or file.stem in only)
    )
    if not files:
        raise SystemExit(f"no labelled .jsonl files to measure in {', '.join(map(str, paths))}")
    corpora = []
    for file in files:
        labelled = check_labelled(
            whole_groups(list(read_records(file, labelled=True)), limit, seed=0), None, None
        )
        corpora.append(Corpus(file.stem, lm, labelled, cache / lm.name / file.stem))
    return corpora


@dataclass(frozen=True, eq=False)
class Corpus:
    """One corpus on one language model.

    Parameters
    ----------
    name : str
    lm : LanguageModel
    labelled : LabelledPairs
    cache : Path
        Folder for its states and probabilities.
    """

    name: str
    lm: LanguageModel
    labelled: LabelledPairs
    cache: Path

    @cached_property
    def states(self) -> StoredStates:
        """Recorded states on disk, recorded now if they are not there."""
        folder = self.cache / f"states-{self._digest(RECORDING)}"
        if not folder.exists():
            StoredStates.record(self.lm, self.lm.tokenize_pairs(self.labelled.pairs), folder)
        os.utime(folder)  # used last: removed last
        return StoredStates(folder)

    def recorded(self, methods: Sequence[str]) -> RecordedPairs:
        """What these methods read."""
        needs = set(needed(_baseline(method)() for method in methods if _is_baseline(method)))
        extras = sorted(needs & set(EXTRAS))
        recorded = record_pairs(self.lm, self.labelled, self.states, extras=extras)
        for names, record in PASSES.items():
            if needs & set(names):
                arrays = self._pass(names, record)
                recorded = replace(recorded, extras={**recorded.extras, **arrays})
        return recorded

    def path(self, method: str, seed: int) -> Path:
        """Where the out-of-fold probabilities of a baseline, of the detector or of an ablation are kept."""
        sources: Sequence[str] = DETECTOR
        if _is_baseline(method):
            baseline = _baseline(method)()
            sources = (*BASELINE, *_sources_of(type(baseline)), *_sources_of_needs(baseline.needs))
        return self.cache / f"{method.replace(' ', '-')}-{seed}-{self._digest(sources)}.npy"

    def _pass(self, names: Sequence[str], record: Callable[..., dict[str, Any]]) -> dict[str, Array]:
        sources = (*RECORDING, *_sources_of_pass(record))
        path = self.cache / f"{'-'.join(names)}-{self._digest(sources)}.npz"
        if not path.exists():
            save(path, record(self.lm, self.labelled.pairs))
        with np.load(path) as arrays:
            return dict(arrays)

    def _digest(self, sources: Sequence[str]) -> str:
        """Of the code in these files and folders, of the pairs, and of the language model."""
        root = Path(halluscope.__file__).parent
        digest = hashlib.sha256(training_digest(self.labelled).encode())
        digest.update(f"{self.lm.fingerprint} {self.lm.model.dtype}".encode())
        for source in sorted(set(sources)):
            place = root / source
            for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
                digest.update(path.read_bytes())
        return digest.hexdigest()[:16]


def _is_baseline(method: str) -> bool:
    return method in METHODS or method in SAMPLED


def _baseline(method: str) -> Callable[[], PairClassifier]:
    return METHODS[method] if method in METHODS else SAMPLED[method]


def _sources_of_needs(needs: Sequence[str]) -> list[str]:
    """Modules of what records these extras."""
    extras = ("extras", "layer_numbers", "activation_tensor")
    sources = [f"evaluation/{name}.py" for name in extras] if set(needs) & set(EXTRAS) else []
    for names, record in PASSES.items():
        if set(names) & set(needs):
            sources += _sources_of_pass(record)
    return sources


def _sources_of_pass(record: Callable[..., Any]) -> list[str]:
    return ["lm/attention.py", "lm/generation.py", _relative(inspect.getsourcefile(record))]


def _sources_of(kind: type) -> list[str]:
    """Modules of a class and of what it inherits from."""
    ours = [base for base in kind.__mro__ if base.__module__.startswith("halluscope.")]
    return [_relative(inspect.getsourcefile(base)) for base in ours]


def _relative(file: str | None) -> str:
    assert file is not None  # noqa: S101 - only built-ins have no source file
    return str(Path(file).relative_to(Path(halluscope.__file__).parent))


def save(path: Path, values: Array | dict[str, Any]) -> None:
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
