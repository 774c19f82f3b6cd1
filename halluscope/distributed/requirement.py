"""Whether what the workers need is installed."""

from __future__ import annotations

from importlib.util import find_spec

from halluscope.errors import HalluscopeError


class MissingRayError(HalluscopeError, ImportError):
    """Many workers were asked for, but Ray is not installed."""


def check_ray() -> None:
    """Raise `MissingRayError` unless Ray Data is installed."""
    if find_spec("ray") is None or find_spec("pyarrow") is None:
        raise MissingRayError("scoring on many workers needs Ray: install halluscope[ray]")
