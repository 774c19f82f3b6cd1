"""Scoring a Ray dataset of records."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from ray.data import Dataset

from halluscope.distributed.workers import Recipe, Worker, Workers
from halluscope.records import as_pairs
from halluscope.scoring.scored import CHUNK, check_label


def score_dataset(
    dataset: Dataset,
    detector: str | Path | None = None,
    *,
    model: str | None = None,
    workers: int = 1,
    num_cpus: int = 1,
    num_gpus: float = 0,
    batch_size: int = CHUNK,
    model_options: Mapping[str, Any] | None = None,
) -> Dataset:
    """Score every record of a Ray dataset on actors that hold one language model each.

    Nothing is computed until the dataset that comes back is read or written (``write_parquet``,
    ``write_json``, ``iter_batches``); then it streams. A batch whose worker dies is done anew by another.
    Rows keep their order where ``DataContext.get_current().execution_options.preserve_order`` is set.

    Parameters
    ----------
    dataset : ray.data.Dataset
        Records: columns ``prompt`` and ``answer``, and ``context``, ``hallucinated`` and what else there is.
    detector : path-like, optional
        Folder of the detector; the one that ships for the model if not given. It is sent to the workers.
    model : str, optional
        Name, hub id or folder of the language model, as every worker finds it; the detector's own, else the
        default, if not given.
    workers : int, default 1
        Actors.
    num_cpus : int, default 1
        Cores of each, and threads of its model.
    num_gpus : float, default 0
        GPUs of each; a model on more than one is spread by ``device_map="auto"``.
    batch_size : int, default 256
        Records that a worker scores at a time.
    model_options : mapping, optional
        For `LanguageModel.from_pretrained` in the workers: ``dtype``, ``quantization_config``...

    Returns
    -------
    ray.data.Dataset
        The same rows with ``probability``, ``hallucinated`` (the verdict), ``threshold``, and ``label``, what
        ``hallucinated`` said before.

    Raises
    ------
    InputError
        For a number of workers, cores or GPUs that cannot be; where the dataset is read, for a record that
        cannot be scored, inside Ray's own error.
    DetectorError
        If there is no such detector.
    """
    pool = Workers(workers, num_cpus, num_gpus)
    return pool.run(dataset, RecordWorker, Recipe.of(detector, model, model_options), batch_size)


class RecordWorker(Worker):
    """Scores tables of records."""

    def __call__(self, table: pa.Table) -> pa.Table:
        """The table with the columns of its scores."""
        if not table.num_rows:
            return table
        pairs = as_pairs([_without_nulls(record) for record in table.to_pylist()])
        for pair in pairs:
            check_label(pair)
        detections = self.detector.detect_batch(pairs)
        labels = [pair.hallucinated for pair in pairs]
        scores = {
            "label": pa.array(labels, pa.bool_()),
            "probability": pa.array([d.probability for d in detections], pa.float64()),
            "hallucinated": pa.array([d.hallucinated for d in detections], pa.bool_()),
            "threshold": pa.array([d.threshold for d in detections], pa.float64()),
        }
        if "label" in table.column_names and "hallucinated" not in table.column_names:
            del scores["label"]  # it is the records' own and stays
        kept = table.drop_columns([name for name in scores if name in table.column_names])
        for name, column in scores.items():
            kept = kept.append_column(name, column)
        return kept


def _without_nulls(record: dict[str, Any]) -> dict[str, Any]:
    """Chat messages as they were before a table gave all of them the fields of each."""
    prompt = record.get("prompt")
    if isinstance(prompt, list) and prompt and isinstance(prompt[0], dict):
        messages = [{key: value for key, value in turn.items() if value is not None} for turn in prompt]
        record = {**record, "prompt": messages}
    return record
