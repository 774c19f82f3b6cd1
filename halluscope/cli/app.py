"""The commands of ``halluscope``. Whatever loads torch is imported inside the command that needs it."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from halluscope import __version__
from halluscope.cli.options import (
    AnswerArgument,
    ContextOption,
    DetectorOption,
    Engine,
    ModelOption,
    PairsArgument,
    PrimerOption,
    PriorOption,
    PromptArgument,
)
from halluscope.errors import HalluscopeError, InputError
from halluscope.lm.catalogue import DEFAULT_MODEL, KNOWN_MODELS

if TYPE_CHECKING:
    from halluscope.detector import Detection, Detector

INTERRUPTED = 130  # 128 + SIGINT, as shells have it
BAD_INPUT = 2


app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Tell whether a language model's answer is hallucinated from the shape of its inner activity.",
)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"halluscope {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and stop."),
    ] = False,
) -> None:
    pass


@app.command()
def pull(
    name: Annotated[str, typer.Argument(help=f"{' or '.join(KNOWN_MODELS)}.")] = DEFAULT_MODEL,
) -> None:
    """Bring a known language model onto the machine."""
    from halluscope.cli.pulling import pull_with_bars

    typer.echo(pull_with_bars(name))


@app.command()
def detect(
    prompt: PromptArgument,
    answer: AnswerArgument,
    context: ContextOption = None,
    model: ModelOption = None,
    detector: DetectorOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    plot_file: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--plot", metavar="FILE", help="Draw the surface: .png, .svg, .pdf or .html."),
    ] = None,
) -> None:
    """Judge one answer."""
    from halluscope.fields import check_answer

    check_answer(answer)
    if plot_file is not None:
        from halluscope.cli.targets import check_out_file
        from halluscope.explain import check_figure_path

        plot_file = plot_file.expanduser()
        check_figure_path(plot_file)
        check_out_file(plot_file)
    detection = _load_detector(model, detector).detect(prompt, answer, context)
    if plot_file is not None:
        _draw([detection], plot_file)
    if as_json:
        readable = (sys.stdout.encoding or "ascii").lower().replace("-", "") == "utf8"
        typer.echo(json.dumps(detection.to_dict(), ensure_ascii=not readable))
        return
    verdict = "hallucinated" if detection.hallucinated else "not hallucinated"
    typer.echo(f"{verdict}: probability {detection.probability:.3f} (threshold {detection.threshold:.3f})")


@app.command()
def score(
    pairs: Annotated[
        str,
        typer.Argument(
            metavar="PAIRS.jsonl",
            help="Records, one JSON object a line; with --engine ray also Parquet, and addresses (s3://...).",
        ),
    ],
    out: Annotated[
        str,
        typer.Option(
            "--out", metavar="SCORED.jsonl", help="Where to write the scored records: as Parquet, a folder."
        ),
    ],
    model: ModelOption = None,
    detector: DetectorOption = None,
    engine: Annotated[
        Engine, typer.Option("--engine", help="Score in this process, or on workers of a Ray cluster.")
    ] = Engine.LOCAL,
    workers: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--workers", min=1, help="Ray: how many, each with a model of its own. [default: 1]"),
    ] = None,
    num_cpus: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--num-cpus", min=1, help="Ray: cores of a worker. [default: 1]"),
    ] = None,
    num_gpus: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option("--num-gpus", min=0, help="Ray: GPUs of a worker. [default: 0]"),
    ] = None,
) -> None:
    """Judge many answers; stopped, it goes on where it was when called again.

    Every record gets probability, hallucinated (the verdict) and threshold; what hallucinated said before
    moves to label.
    """
    from halluscope.cli.targets import check_out_file, check_source

    distributed = engine is Engine.RAY
    if not distributed and any(option is not None for option in (workers, num_cpus, num_gpus)):
        raise InputError("--workers, --num-cpus and --num-gpus are for --engine ray")
    pairs, out = (place if "://" in place else str(Path(place).expanduser()) for place in (pairs, out))
    remote = [place for place in (pairs, out) if "://" in place]
    if remote and not distributed:
        raise InputError(f"{remote[0]} is not a file of this machine: addresses are for --engine ray")
    if "://" not in out:
        check_out_file(Path(out), Path(pairs) if "://" not in pairs else None)
    if not distributed or "://" not in pairs:
        check_source(Path(pairs), plain=not distributed or not pairs.endswith(".parquet"))

    try:
        if distributed:
            from halluscope.cli.spreading import spread_score

            spread_score(pairs, out, model, detector, workers or 1, num_cpus or 1, num_gpus or 0)
        else:
            from halluscope.cli.learning import score_pairs

            score_pairs(Path(pairs), Path(out), model, detector)
    except KeyboardInterrupt:
        raise _Stopped("stopped; what is scored is kept: call the same command again to go on") from None


@app.command()
def train(
    pairs: PairsArgument,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write the detector to.")],
    model: Annotated[
        str, typer.Option("--model", help="Known name, hub id or folder of the language model.")
    ] = DEFAULT_MODEL,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help="For folds and boosting.")] = 0,
    folds: Annotated[int, typer.Option("--folds", min=2, help="Grouped folds for cross-fitting.")] = 4,
    prior: PriorOption = True,
    primer: PrimerOption = True,
) -> None:
    """Train a detector on labelled pairs with your own model; stopped, it goes on where it was."""
    from halluscope.cli.learning import train_detector

    try:
        detector = train_detector(pairs.expanduser(), out, model, seed, folds, prior, primer)
    except KeyboardInterrupt:
        raise _Stopped("stopped; what is read is kept: call the same command again to go on") from None
    training = detector.training_
    found = training["out_of_fold"]
    say = f", with the say of the shipped detector '{detector.prior_.name}'" if detector.prior_ else ""
    typer.echo(
        f"{out}: trained on {training['pairs']} pairs in {training['groups']} groups{say}; "
        f"out-of-fold AUROC {found['auroc']:.3f}, Brier score {found['brier']:.3f} (a little too good: "
        "'halluscope evaluate' measures on folds that nothing was learned from)"
    )


@app.command()
def evaluate(
    pairs: PairsArgument,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for results.json and predictions.jsonl.")
    ],
    detector: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--detector",
            help="Folder of a trained detector to test as it is; without it a new one is trained.",
        ),
    ] = None,
    folds: Annotated[int, typer.Option("--folds", min=2, help="Grouped folds for cross-validation.")] = 5,
    model: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--model",
            help="Known name, hub id or folder of the language model; the detector's own, or "
            f"{DEFAULT_MODEL}, if not given.",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=2**32 - 1, help="For folds, boosting and the bootstrap.")
    ] = 0,
    prior: PriorOption = True,
    primer: PrimerOption = True,
) -> None:
    """Measure a detector, or by cross-validation how well one can be trained, beside the dull baselines."""
    from halluscope.cli.learning import evaluate_file

    evaluate_file(pairs.expanduser(), out.expanduser(), detector, folds, model, seed, prior, primer)


@app.command()
def plot(
    prompt: PromptArgument,
    answer: AnswerArgument,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help=".png, .svg, .pdf, or .html to turn it.")
    ],
    other_answer: Annotated[
        Optional[str],  # noqa: UP045
        typer.Argument(help="A second answer to draw beside it."),
    ] = None,
    context: ContextOption = None,
    model: ModelOption = None,
    detector: DetectorOption = None,
    channel: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--channel", help="The activity measure to draw; reading by default."),
    ] = None,
) -> None:
    """Draw the surface of an answer, or of two side by side, with the verdict on each."""
    from halluscope.cli.targets import check_out_file
    from halluscope.explain import check_figure_path
    from halluscope.fields import check_answer

    out = out.expanduser()
    check_figure_path(out)
    check_out_file(out)
    answers = [answer] if other_answer is None else [answer, other_answer]
    for text in answers:
        check_answer(text)
    loaded = _load_detector(model, detector)
    _draw([loaded.detect(prompt, text, context) for text in answers], out, channel)


def _load_detector(model: str | None, detector: Path | None) -> Detector:
    from halluscope.cli.learning import load_quietly

    return load_quietly(model, detector)


def _draw(detections: Sequence[Detection], out: Path, channel: str | None = None) -> None:
    from halluscope.detector.detection import prompt_text
    from halluscope.explain import Verdict, save_figure

    save_figure(
        out,
        [d.surface for d in detections],
        verdicts=[Verdict(d.probability, d.threshold, d.hallucinated) for d in detections],
        prompt=prompt_text(detections[0].prompt),
        channel=channel,
    )


class _Stopped(Exception):  # noqa: N818 - not an error: the user asked for it
    """Ctrl-C, with what the user should know."""


def main() -> None:
    """Run the command line and leave the process with its status."""
    for stream in (sys.stdout, sys.stderr):  # a name that a terminal cannot show is no reason to fail
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(_run())


def _run() -> int:
    """Status of the command; what users can mend, or have stopped, is one line on standard error."""
    try:
        status = app(prog_name="halluscope", standalone_mode=False)
        if status == INTERRUPTED:  # what newer versions of typer make of Ctrl-C
            raise KeyboardInterrupt
        return status if isinstance(status, int) else 0
    except HalluscopeError as error:
        return _complain(str(error), BAD_INPUT)
    except _Stopped as stopped:
        return _complain(str(stopped), INTERRUPTED)
    except (KeyboardInterrupt, typer.Abort):
        return _complain("stopped; no result was written", INTERRUPTED)
    except OSError as error:
        if error.strerror is None:  # not the system's, but some library's own
            raise
        place = "" if error.filename is None else f"{error.filename}: "
        return _complain(f"{place}{error.strerror}", BAD_INPUT)
    except Exception as error:
        if not hasattr(error, "format_message"):  # what typer's own usage errors have
            raise
        problem = error.format_message()
        if not problem:  # no command at all: the help has been printed
            return BAD_INPUT
        return _complain(f"{problem} (see '{_command_path(error)} --help')", BAD_INPUT)


def _command_path(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return context.command_path if context is not None else "halluscope"


def _complain(message: str, status: int) -> int:
    print("halluscope: " + " ".join(message.split()), file=sys.stderr)
    return status
