"""What a worker is: one language model with its detector, loaded once, in an actor of Ray Data."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from ray.data import ActorPoolStrategy, Dataset
from ray.exceptions import RayError

from halluscope import errors
from halluscope.detector import Detector
from halluscope.detector.shipped import locate
from halluscope.lm.language_model import LanguageModel

_OURS = re.compile(rf"^\s*{re.escape(errors.__name__)}\.(?P<kind>\w+): (?P<message>.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Workers:
    """How many workers there are, and what each has.

    Parameters
    ----------
    number : int, optional
        Of workers; 1 if not given.
    num_cpus : int, optional
        Processor cores of each, and threads of its model; 1 if not given.
    num_gpus : float, optional
        GPUs of each, 0 if not given. With one or less the model is moved there, with more it is spread over
        them by ``device_map="auto"``.
    """

    number: int = 1
    num_cpus: int = 1
    num_gpus: float = 0

    def __post_init__(self) -> None:
        for name, least in (("number", 1), ("num_cpus", 1), ("num_gpus", 0)):
            if getattr(self, name) < least:
                raise errors.InputError(
                    f"workers: {name} must be at least {least}, not {getattr(self, name)}"
                )

    def run(self, dataset: Dataset, work: type, recipe: Recipe, rows: int | None) -> Dataset:
        """Let actors work on batches of some rows, pyarrow tables; a dead actor's batch is done anew."""
        return dataset.map_batches(
            work,
            fn_constructor_kwargs={"recipe": recipe, "workers": self},
            compute=ActorPoolStrategy(size=self.number),
            num_cpus=self.num_cpus,
            num_gpus=self.num_gpus or None,
            batch_size=rows,
            batch_format="pyarrow",
        )


@dataclass(frozen=True)
class Recipe:
    """What a worker makes its detector from: it travels to other machines, which need not see our folders.

    Parameters
    ----------
    model : str
        Name, hub id or folder of the language model, as every worker finds it.
    files : mapping of str to bytes
        What the detector's folder holds.
    options : mapping of str to Any
        For `LanguageModel.from_pretrained`.
    """

    model: str
    files: Mapping[str, bytes] = field(repr=False)
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls, detector: str | Path | None, model: str | None, options: Mapping[str, Any] | None = None
    ) -> Recipe:
        """Of a detector's folder, or of what ships for a model, as for `halluscope.detect`."""
        folder, name = locate(model, detector)  # workers need not run in our folder
        files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
        return cls(name, files, dict(options or {}))

    def detector(self, workers: Workers) -> Detector:
        """The detector, with its language model where the worker computes."""
        options = dict(self.options)
        if workers.num_gpus > 1:
            options.setdefault("device_map", "auto")
        lm = LanguageModel.from_pretrained(self.model, **options)
        if 0 < workers.num_gpus <= 1 and "device_map" not in options:
            lm.model.to("cuda")  # the one that Ray lets this process see
            lm = LanguageModel(lm.model, lm.tokenizer, name=lm.name)
        folder = Path(tempfile.mkdtemp(prefix="halluscope-"))
        try:
            for name, content in self.files.items():
                (folder / name).write_bytes(content)
            return Detector.load(folder, lm).set_params(progress=False)
        finally:
            shutil.rmtree(folder)


class Worker:
    """An actor with a detector; what it does with a batch is its subclasses' to say."""

    def __init__(self, recipe: Recipe, workers: Workers) -> None:
        torch.set_num_threads(workers.num_cpus)
        self.detector = recipe.detector(workers)


@contextmanager
def our_errors_raised() -> Iterator[None]:
    """What a worker had to say of the input is raised as it would have been without Ray around it.

    Ray hands on no causes of errors, only their text.
    """
    try:
        yield
    except RayError as error:
        found = _OURS.search(str(error))
        kind = getattr(errors, found["kind"], object) if found else object
        if found is None or not issubclass(kind, errors.HalluscopeError):
            raise
        family = errors.InputError if issubclass(kind, errors.InputError) else errors.HalluscopeError
        raise family(found["message"]) from None


Progress = Callable[[int], None]
