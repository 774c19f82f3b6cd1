"""What `benchmarks.speed`, `breakdown`, `memory` and `spread` have measured, as Markdown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import memory
from benchmarks.breakdown import STEPS
from benchmarks.speed import BARE, DTYPES, LOOP, OURS, RESULTS, UNPRIMED

Results = Mapping[str, Any]


def load_speed(model: str, folder: Path = RESULTS) -> Results | None:
    """What was measured for a language model; None if nothing was."""
    path = folder / f"{model}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def calls_table(results: Results | None) -> str:
    """One warm call against the bare forward pass."""

    def rows(dtype: str, calls: Sequence[Results]) -> Iterator[str]:
        for call in calls:
            ratios = " | ".join(_ratio(call["ratio"][name]) for name in (OURS, UNPRIMED))
            yield (
                f"| {dtype} | {call['prompt']} | {call['answer']} | {call['milliseconds'][BARE]:.0f} "
                f"| {ratios} |"
            )

    heads = ("dtype", "prompt", "answer", "bare forward, ms", "detect", "detect without a primer")
    return _by_dtype(results, "calls", heads, rows)


def files_table(results: Results | None) -> str:
    """Files of pairs against the usual loop."""

    def rows(dtype: str, files: Results) -> Iterator[str]:
        for name, found in files.items():
            each = {who: taken / found["pairs"] for who, taken in found["milliseconds"].items()}
            times = " | ".join(
                f"{each[who]:.1f}" if who in each else "" for who in (LOOP, BARE, OURS, UNPRIMED)
            )
            fastest = found["ratio"].get(OURS, found["ratio"][UNPRIMED])
            gain = f"{1 / fastest['median']:.1f} ({1 / fastest['high']:.1f} to {1 / fastest['low']:.1f})"
            yield (
                f"| {dtype} | {found['pairs']}, {name}, {found['tokens']:.0f} tokens | {times} | {gain} "
                f"| {100 * found['features and classifier']:.0f}% |"
            )

    heads = (
        *("dtype", "pairs", "ms a pair: usual loop", "bare forward", "halluscope", "without a primer"),
        *("times as fast as the usual loop", "features and classifier"),
    )
    return _by_dtype(results, "files", heads, rows)


def training_table(results: Results | None) -> str:
    """Training against two bare passes over the same tokens."""

    def rows(dtype: str, fits: Results) -> Iterator[str]:
        bare, ours = (fits["milliseconds"][who] / 1000 for who in (BARE, OURS))
        yield f"| {dtype} | {fits['pairs']} | {bare:.0f} | {ours:.0f} | {_ratio(fits['ratio'][OURS])} |"

    heads = ("dtype", "pairs", "two bare passes, s", "training, s", "times as long")
    return _by_dtype(results, "training", heads, rows)


def breakdown_table(results: Results | None) -> str:
    """A call cut short after each step, as a multiple of the bare forward pass."""
    if results is None:
        return "Not measured yet for this version."
    lines = [
        f"| prompt | answer | bare forward, ms | {' | '.join(STEPS)} |",
        f"|---|---|---|{'---|' * len(STEPS)}",
    ]
    for call in results["calls"]:
        ratios = " | ".join(f"{call['ratio'][step]['median']:.2f}" for step in STEPS)
        lines.append(f"| {call['prompt']} | {call['answer']} | {call['milliseconds'][BARE]:.0f} | {ratios} |")
    return "\n".join([*lines, "", _made_by(results)])


def memory_table(results: Results | None) -> str:
    """Memory beyond what is loaded, by contestant and by size."""
    if results is None:
        return "Not measured yet for this version."
    lines = ["| what | MB beyond what is loaded | seconds |", "|---|---|---|"]
    n, prompt, answer = memory.BATCH
    named = {
        "batch": lambda key: f"one batch of {n} x {prompt + answer} tokens: {key}",
        "score": lambda key: f"{key} pairs scored",
        "train": lambda key: f"trained on {key} pairs",
    }
    for part, name in named.items():
        for key, row in results[part].items():
            lines.append(f"| {name(key)} | {row['megabytes']:.0f} | {row['seconds']:.0f} |")
    batch = {name: row["megabytes"] for name, row in results["batch"].items()}
    if len(batch) == len((memory.DECODER, memory.STATES, memory.OURS)):
        bare = batch[memory.DECODER]
        share = (batch[memory.OURS] - bare) / (batch[memory.STATES] - bare)
        said = f"Beyond the bare pass halluscope takes {share:.2f} of what all hidden states take."
        lines += ["", said if share > 0 else "halluscope takes no more than the bare pass."]
    return "\n".join([*lines, "", _made_by(results)])


def spread_table(results: Results | None) -> str:
    """What a pair takes on one and on two workers."""
    if results is None:
        return "Not measured yet for this version."
    lines = ["| workers | ms a pair |", "|---|---|"]
    lines += [f"| {number} | {taken:.1f} |" for number, taken in results["milliseconds a pair"].items()]
    ratio, low, high = (results["ratio"][name] for name in ("median", "min", "max"))
    said = f"Two workers score {ratio:.2f} times as fast as one ({low:.2f} to {high:.2f})."
    return "\n".join([*lines, "", said, "", f"`{results['command']}`, one thread a worker."])


def _by_dtype(
    results: Results | None, part: str, heads: Sequence[str], rows: Callable[[str, Any], Iterable[str]]
) -> str:
    """A table of one part of what `benchmarks.speed` has measured, and the command of each dtype."""
    found = {dtype: results[dtype] for dtype in DTYPES if results and part in results.get(dtype, ())}
    if not found:
        return "Not measured yet for this version."
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for dtype, measured in found.items():
        lines += rows(dtype, measured[part])
    return "\n".join([*lines, "", "\n\n".join(map(_made_by, found.values()))])


def _made_by(results: Results) -> str:
    return f"`{results['command']}`, {results['threads']} threads."


def _ratio(found: Mapping[str, float]) -> str:
    return f"{found['median']:.2f} ({found['low']:.2f} to {found['high']:.2f})"
