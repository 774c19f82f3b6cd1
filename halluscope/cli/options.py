"""Options and arguments that several commands share."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Optional

import typer


class Engine(str, Enum):
    """Where answers are scored."""

    LOCAL = "local"
    RAY = "ray"


# typer evaluates these annotations at run time, and Python 3.10 has no other way to write some of them
ModelOption = Annotated[
    Optional[str],  # noqa: UP045 - typer needs it on Python 3.10
    typer.Option("--model", help="Known name, hub id or folder of the language model."),
]
PriorOption = Annotated[
    bool,
    typer.Option(
        "--prior/--no-prior", help="Let the detector that ships for the language model, if any, have a say."
    ),
]
PrimerOption = Annotated[
    bool,
    typer.Option(
        "--primer/--no-primer", help="Read answers behind a fixed conversation about well-known facts."
    ),
]
DetectorOption = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(
        "--detector", help="Folder of a trained detector; the one that ships for the model if not given."
    ),
]
ContextOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--context", help="Reference text that was in the prompt."),
]
PairsArgument = Annotated[
    Path, typer.Argument(metavar="PAIRS.jsonl", help="Records, one JSON object a line.")
]
PromptArgument = Annotated[str, typer.Argument(help="What the model was asked; '' for a bare statement.")]
AnswerArgument = Annotated[str, typer.Argument(help="What it answered.")]
