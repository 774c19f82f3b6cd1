"""The command line. It reads arguments, shows progress and prints; the work is done by the library."""

from halluscope.cli.app import main

__all__ = ["main"]
