"""How much of a long test is done: all of it where `make test-long` says so, and a part else."""

import os

IS_FULL = os.environ.get("MARTLET_TEST_FULL") == "1"


def scaled(full, usual):
    """The number for this run: `full` is that of the figure which the test is to show."""
    return full if IS_FULL else usual
