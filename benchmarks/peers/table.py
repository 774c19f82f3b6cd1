"""What `benchmarks.peers` has measured, as Markdown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.peers.contestants import CONTESTANTS
from halluscope.lm.catalogue import DEFAULT_MODEL

RESULTS = Path(__file__).parents[1] / "results" / "peers" / f"{DEFAULT_MODEL}.json"


def load_peers(path: Path = RESULTS) -> dict[str, Any] | None:
    """What was measured; None if nothing was."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def peers_table(results: dict[str, Any] | None) -> str:
    """Each contestant on each file, the fastest first, and those that could not run."""
    if results is None:
        return "Not measured yet for this version."
    lines = []
    for file, found in results["files"].items():
        lines += [
            f"| {found['pairs']} pairs, {file} | reads | ms a pair "
            "| times as long as halluscope without a primer | MB beyond what is loaded |",
            "|---|---|---|---|---|",
        ]
        for name, row in sorted(found["contestants"].items(), key=lambda item: item[1]["milliseconds"]):
            lines.append(
                f"| {name} | {CONTESTANTS[name][0]} | {row['milliseconds']:.1f} "
                f"| {row['ratio']:.2f} ({row['low']:.2f} to {row['high']:.2f}) | {row['megabytes']:.0f} |"
            )
        lines.append("")
    lines += [f"{name} could not run: `{error}`.\n" for name, error in results["errors"].items()]
    return "\n".join([*lines, f"`{results['command']}`, {results['threads']} threads."])
