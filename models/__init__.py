"""What the detectors that ship with the library are made from, and the detectors themselves."""
