"""The one exception that means: a person can mend this."""

from __future__ import annotations


class InputError(ValueError):
    """A person's mistake: what was wrong, what was expected, and what to do, in one or two sentences.

    The command line prints it without a traceback and exits with 2.
    """
