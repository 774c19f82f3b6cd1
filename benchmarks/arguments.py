"""Command-line arguments that all benchmarks on recorded corpora share."""

from __future__ import annotations

import argparse
from pathlib import Path

import platformdirs

from halluscope.lm.catalogue import DEFAULT_MODEL, KNOWN_MODELS

CACHE = platformdirs.user_cache_path("halluscope") / "benchmarks"


def new_parser(prog: str, description: str | None, limit: int) -> argparse.ArgumentParser:
    """A parser that knows where corpora come from and where what is slow is kept.

    Parameters
    ----------
    prog, description : str
        The command and what it does.
    limit : int
        Default for the most records of a file.
    """
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, help="folders of labelled .jsonl files"
    )
    parser.add_argument("--model", default=DEFAULT_MODEL, help=f"language model: {', '.join(KNOWN_MODELS)}")
    parser.add_argument("--only", nargs="*", help="names of files, without .jsonl; writes nothing")
    parser.add_argument("--limit", type=int, default=limit, help="most records of a file, whole groups")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of states and probabilities")
    parser.add_argument(
        "--cache-gb", type=float, default=30.0, help="states beyond this are removed, oldest first"
    )
    return parser


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """Let the user have several corpora worked on at once."""
    parser.add_argument(
        "--jobs",
        type=int,
        default=1,
        help="corpora worked on at once, each in a process with its share of cores",
    )
