"""``python -m halluscope``: the command line where its script is not on the path."""

from halluscope.cli import main

if __name__ == "__main__":
    main()
