"""What can go wrong with a job, by whose doing."""

from __future__ import annotations


class UnusableInputError(Exception):
    """The input itself cannot be worked on; no retry changes that. The message is for the person who sent it."""


class NotReadyError(Exception):
    """This server lacks something the job needs; another one, or this one later, may have it."""


class JobStoppedError(Exception):
    """Somebody asked for the job to stop."""
