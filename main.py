"""The front door; see `rl/__main__.py`."""

import sys

from rl.__main__ import process

if __name__ == "__main__":
    sys.exit(process())
