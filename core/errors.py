"""The root of all errors that Paperboy raises on purpose, and the tree that they form.

PaperboyError
├── SettingsError                  core.settings
├── DatabaseError                  core.database
"""


class PaperboyError(Exception):
    """An error that a person can do something about; its message has one line for each mistake."""


class RunFailedError(PaperboyError):
    """A run came to its end but counts as failed; the message says what to correct."""
