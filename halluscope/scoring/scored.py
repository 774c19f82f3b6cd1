"""Scored records: what they hold, and how many are made at a time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from halluscope.detector import Detection, Detector
from halluscope.errors import InputError
from halluscope.records import Pair

CHUNK = 256
"""Pairs between two safe points. Batches are made inside a chunk, so a resumed run makes the same ones."""


def check_label(pair: Pair) -> None:
    """Raise `InputError` where two fields want the place of ``label`` in the scored record."""
    label = pair.other.get("label")
    if pair.hallucinated is not None and label is not None and label != pair.hallucinated:
        raise InputError(
            f"{pair.where}: field 'label' says something else than 'hallucinated', which moves to 'label' "
            "in scored records: rename or remove one"
        )


def score_chunk(detector: Detector, pairs: Sequence[Pair]) -> str:
    """JSON Lines of scored records, in the order of the pairs."""
    for pair in pairs:
        check_label(pair)
    detections = detector.detect_batch(pairs)
    return "".join(_scored_line(pair, found) for pair, found in zip(pairs, detections, strict=True))


def _scored_line(pair: Pair, detection: Detection) -> str:
    record: dict[str, Any] = {
        "id": pair.id,
        "group": pair.group,
        "topic": pair.topic,
        "prompt": pair.prompt,
        "answer": pair.answer,
        "context": pair.context,
        "label": pair.hallucinated,
    }
    scored = {key: value for key, value in record.items() if value is not None}
    scored |= {key: value for key, value in pair.other.items() if value is not None or key not in scored}
    scored |= {
        "probability": detection.probability,
        "hallucinated": detection.hallucinated,
        "threshold": detection.threshold,
    }
    line = json.dumps(scored, ensure_ascii=False) + "\n"
    try:
        line.encode()
    except UnicodeEncodeError:  # half a character in a field that means nothing here: given back as it came
        line = json.dumps(scored) + "\n"
    return line
