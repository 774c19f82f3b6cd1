"""Evaluation results on disk and on the terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from halluscope.files import written_whole


def write_results(folder: Path, results: Mapping[str, Any], predictions: Sequence[Mapping[str, Any]]) -> None:
    """Write ``results.json`` and ``predictions.jsonl`` (each whole or not at all)."""
    lines = (json.dumps(prediction, ensure_ascii=False) + "\n" for prediction in predictions)
    _write(folder / "predictions.jsonl", "".join(lines))
    _write(folder / "results.json", json.dumps(results, indent=1, ensure_ascii=False) + "\n")


def _write(path: Path, text: str) -> None:
    with written_whole(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def print_results(results: Mapping[str, Any]) -> None:
    """Print AUROC with interval for the detector, its ablations and the baselines.

    With a warning where a detector was trained on questions that it is measured on.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    title = f"{results['n']} pairs in {results['n_groups']} groups, {results['model']}"
    table = Table(title=Text(title))  # a Text, since brackets in a name would be taken for markup
    for column in ("", "AUROC", "95% interval", "gain over it"):
        table.add_column(column, justify="left" if not column else "right")
    rows = {"halluscope": results["metrics"], **results["ablations"], **results["baselines"]}
    for name, metrics in rows.items():
        auroc, gain = metrics["auroc"], results["gains"].get(name)
        table.add_row(
            name,
            f"{auroc['value']:.3f}",
            f"{auroc['low']:.3f} to {auroc['high']:.3f}",
            f"{gain['value']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f})" if gain else "",
        )
    Console().print(table)
    trained = {"the detector": results.get("seen"), "the prior": results.get("prior", {}).get("seen")}
    for what, seen in trained.items():
        if seen:
            Console(stderr=True).print(
                f"warning: {what} was trained on the questions of {seen} of these {results['n']} pairs: "
                "the numbers flatter it",
                soft_wrap=True,
            )
