"""Scored records: what they hold, and how many are made at a time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from halluscope.detector import Detection, Detector
from halluscope.records import Pair

CHUNK = 256
"""Pairs between two safe points. Batches are made inside a chunk, so a resumed run makes the same ones."""


def score_chunk(detector: Detector, pairs: Sequence[Pair]) -> str:
    """JSON Lines of scored records, in the order of the pairs."""
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
    scored = {key: value for key, value in record.items() if value is not None} | dict(pair.other)
    scored |= {
        "probability": detection.probability,
        "hallucinated": detection.hallucinated,
        "threshold": detection.threshold,
    }
    return json.dumps(scored, ensure_ascii=False) + "\n"
