"""What is slow to measure, kept on disk under the digest of all that it came from.

A change to the detector measures the detector anew and nothing else; a change to one baseline, that one.
"""

from __future__ import annotations

import hashlib
import inspect
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import halluscope
from halluscope import LanguageModel
from halluscope.detector.labelled import LabelledPairs, training_digest
from halluscope.evaluation.attention import ATTENTION, ICR, SELF_ATTENTION, record_attention
from halluscope.evaluation.baselines import BASELINES, PUBLISHED
from halluscope.evaluation.contrast import CONTRAST
from halluscope.evaluation.extras import EXTRAS
from halluscope.evaluation.prompted import P_TRUE, PRISM, PROMPTED, record_p_true, record_statements
from halluscope.evaluation.recorded import PairClassifier
from halluscope.evaluation.sampled import EIGENSCORE, SAMPLED, record_eigenscore
from halluscope.files import written_whole
from halluscope.records import Pair

OURS = "halluscope"
"""What results call the detector as it learns from a corpus alone, like the baselines."""
WITH_PRIOR = "halluscope with prior"
"""The same with the shipped detector's say, its default; where that knows the corpus' facts, without."""
METHODS = {**BASELINES, **PUBLISHED, **PROMPTED, **ATTENTION}
"""Every baseline that reads given answers, by its published name."""
METHODS_ON_OWN = {**METHODS, **SAMPLED}
"""With those that say something of an answer only where the language model gave it itself."""
PASSES: dict[tuple[str, ...], Callable[[LanguageModel, Sequence[Pair]], dict[str, Any]]] = {
    (P_TRUE,): record_p_true,
    (PRISM, CONTRAST): record_statements,
    (SELF_ATTENTION, ICR): record_attention,
    (EIGENSCORE,): record_eigenscore,
}
"""Passes through the language model beside the first, by what they record."""

RECORDING = tuple(
    f"lm/{name}.py"
    for name in (
        *("anatomy", "batching", "beginning", "encoding", "language_model", "layout", "messages", "offsets"),
        *("packer", "packing", "packing_trial", "prediction", "primer", "recording", "stored", "tokens"),
        *("weights",),
    )
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


def path_of(
    folder: Path, method: str, name: str, lms: Sequence[LanguageModel], labelled: Sequence[LabelledPairs]
) -> Path:
    """Where the probabilities of a method are kept.

    Parameters
    ----------
    folder : Path
    method : str
        A baseline, the detector, or a variant of it.
    name : str
        What tells this measurement from others of the method.
    lms : sequence of LanguageModel
        All that it looks into.
    labelled : sequence of LabelledPairs
        All pairs that it is trained and tested on.
    """
    return folder / f"{method.replace(' ', '-')}-{name}-{digest(sources_of(method), lms, labelled)}.npy"


def sources_of(method: str) -> Sequence[str]:
    """Files and folders of code that the probabilities of a method depend on."""
    if not is_baseline(method):
        return DETECTOR
    baseline = new_baseline(method)()
    return (*BASELINE, *_sources_of(type(baseline)), *_sources_of_needs(baseline.needs))


def digest(sources: Sequence[str], lms: Sequence[LanguageModel], labelled: Sequence[LabelledPairs]) -> str:
    """Of the code in some files and folders, of pairs, and of language models."""
    root = Path(halluscope.__file__).parent
    found = hashlib.sha256("".join(map(training_digest, labelled)).encode())
    for lm in lms:
        found.update(f"{lm.fingerprint} {lm.model.dtype}".encode())
    for source in sorted(set(sources)):
        place = root / source
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            found.update(path.read_bytes())
    return found.hexdigest()[:16]


def is_baseline(method: str) -> bool:
    """Whether a method is a baseline: if not, it is the detector or an ablation of it."""
    return method in METHODS_ON_OWN


def new_baseline(method: str) -> Callable[[], PairClassifier]:
    """What makes a fresh estimator of a baseline."""
    return METHODS_ON_OWN[method]


def _sources_of_needs(needs: Sequence[str]) -> list[str]:
    """Modules of what records these extras."""
    extras = ("extras", "layer_numbers", "activation_tensor")
    sources = [f"evaluation/{name}.py" for name in extras] if set(needs) & set(EXTRAS) else []
    for names, record in PASSES.items():
        if set(names) & set(needs):
            sources += sources_of_pass(record)
    return sources


def sources_of_pass(record: Callable[..., Any]) -> list[str]:
    """Modules of what records a pass through the language model."""
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
    with written_whole(path) as unfinished:
        if isinstance(values, dict):
            np.savez(unfinished, **values)
        else:
            np.save(unfinished, values)


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
