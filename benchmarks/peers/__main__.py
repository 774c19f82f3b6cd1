"""How fast are other libraries? ``make peers``, then ``python -m benchmarks.peers --data DIR``.

Libraries that can score a given answer from hidden states score the same files as the shipped detector: short
questions with two answers to most prompts, and one answer to each prompt without anything in common. Each
contestant runs in a process of its own and takes turns with the others, in a new order every round, nobody
else at work. Reported are milliseconds a pair, how many times as long as halluscope it takes in the same
round, and the peak of its resident memory beyond what it was when all was loaded. One that cannot run is
named with its error. Writes ``benchmarks/results/peers/MODEL.json`` after each file.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.peers.contestants import CONTESTANTS
from benchmarks.peers.contestants import Pair as Given
from benchmarks.speed import one_answer, two_answers, without_primer
from halluscope import Detector, LanguageModel
from halluscope.detector.shipped import shipped_detector
from halluscope.files import written_whole
from halluscope.lm.catalogue import DEFAULT_MODEL
from halluscope.lm.pull import pulled_folder
from halluscope.progress import progress_bar
from halluscope.records import Pair

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "peers"
Turn = Mapping[str, float]
OURS = "halluscope, no primer"
"""What others are compared with: it reads the same tokens."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of labelled .jsonl files")
    parser.add_argument("--dtype", default="bfloat16", help="of the language model's weights")
    parser.add_argument("--rounds", type=int, default=5, help="turns of every contestant that count")
    parser.add_argument("--pairs", type=int, default=400, help="pairs of a file")
    parser.add_argument(
        "--peers-python", default=str(ROOT / ".venv-peers" / "bin" / "python"), help="made by make peers"
    )
    options = parser.parse_args(arguments)
    if not Path(options.peers_python).exists():
        raise SystemExit(f"{options.peers_python} is not there: run first make peers")
    files = read_files(options.data, options.pairs)
    task = {"model": str(pulled_folder(DEFAULT_MODEL)), "dtype": options.dtype, "files": files}
    results: dict[str, Any] = {
        "command": f"python -m benchmarks.peers --data DIR --dtype {options.dtype} "
        f"--rounds {options.rounds} --pairs {options.pairs}",
        "threads": torch.get_num_threads(),
    }
    for measured in measure(task, options.rounds, options.peers_python):
        results |= measured
        with written_whole(RESULTS / f"{DEFAULT_MODEL}.json") as unfinished:
            unfinished.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=1))


def read_files(data: Path, n: int) -> dict[str, list[Given]]:
    """The pairs of both files as contestants are given them."""
    lm = LanguageModel.from_pretrained(DEFAULT_MODEL)
    detector = without_primer(Detector.load(shipped_detector(DEFAULT_MODEL), lm))
    pairs = two_answers(data, n)
    chosen = {"two answers a prompt": pairs, "nothing shared": one_answer(detector, pairs)}
    return {name: as_given(detector, each) for name, each in chosen.items()}


def as_given(detector: Detector, pairs: Sequence[Pair]) -> list[Given]:
    """Pairs as text, as token ids, and as our detector takes them."""
    found = []
    for pair, read in zip(pairs, detector.tokenize(pairs), strict=True):
        text = detector.lm.tokenizer.decode(read.ids)
        ids = {"prompt_ids": list(read.ids[: read.start]), "answer_ids": list(read.ids[read.start :])}
        found.append({"prompt": pair.prompt, "answer": pair.answer, "text": text, **ids})
    return found


def measure(task: dict[str, Any], rounds: int, peers_python: str) -> Iterator[dict[str, Any]]:
    """Turns of all contestants on all files.

    Yields
    ------
    dict
        After each file, what is measured so far. ``files``: for each, its number of pairs and what `compare`
        gives; ``errors``: what those said that could not run.

    Raises
    ------
    SystemExit
        If `OURS` could not run: there is nothing to compare with.
    """
    errors: dict[str, str] = {}
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        job = Path(folder) / "job.json"
        job.write_text(json.dumps(task), encoding="utf-8")
        workers = {}
        for name, (_, own, _) in CONTESTANTS.items():
            worker = start(sys.executable if own else peers_python, name, job)
            running.callback(worker.kill)
            said = hear(worker)
            if "error" in said:
                errors[name] = said["error"]
            else:
                workers[name] = worker
        with progress_bar("Taking turns", len(task["files"]) * (rounds + 1)) as advance:
            for file, pairs in task["files"].items():
                turns: dict[str, list[Turn]] = {}
                for turn in range(rounds + 1):
                    # a new order every round: nobody always follows the one who fills the caches
                    for name in np.random.default_rng(turn).permutation(list(workers)):
                        said = ask(workers[name], file)
                        if "error" in said:
                            errors[name] = said["error"]
                            del workers[name]
                            turns.pop(name, None)
                        else:
                            turns.setdefault(name, []).append(said)
                    if OURS in errors:
                        raise SystemExit(f"{OURS} could not run: {errors[OURS]}")
                    advance(1)
                found[file] = {"pairs": len(pairs), "contestants": compare(turns, len(pairs))}
                yield {"files": dict(found), "errors": dict(errors)}


def compare(turns: Mapping[str, Sequence[Turn]], n: int) -> dict[str, dict[str, float]]:
    """Medians of some contestants' turns but the first, and their ratios to `OURS` in the same round."""
    counted = {
        name: {key: np.array([turn[key] for turn in taken[1:]]) for key in ("seconds", "megabytes")}
        for name, taken in turns.items()
    }
    found = {}
    for name, of_turns in counted.items():
        ratio = of_turns["seconds"] / counted[OURS]["seconds"]
        found[name] = {
            "milliseconds": float(np.median(of_turns["seconds"])) * 1000 / n,
            "ratio": float(np.median(ratio)),
            "low": float(ratio.min()),
            "high": float(ratio.max()),
            "megabytes": float(np.median(of_turns["megabytes"])),
        }
    return found


def start(python: str, name: str, job: Path) -> subprocess.Popen[str]:
    """A worker's process."""
    return subprocess.Popen(
        [python, "-m", "benchmarks.peers.worker", name, str(job)],
        cwd=ROOT,
        env={**os.environ, "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def ask(worker: subprocess.Popen[str], file: str) -> dict[str, Any]:
    """Have a worker score a file; an error if it is gone."""
    with contextlib.suppress(BrokenPipeError):
        print(file, file=worker.stdin, flush=True)
    return hear(worker)


def hear(worker: subprocess.Popen[str]) -> dict[str, Any]:
    """What a worker answers; an error if it is gone."""
    line = next(worker.stdout or iter(()), "")
    said: dict[str, Any] = json.loads(line) if line else {"error": f"ended with {worker.wait()}"}
    return said


if __name__ == "__main__":
    main()
