"""Why an OpenDRIVE file was refused, in the real server's words with the reason after them."""

from __future__ import annotations

REFUSAL = "opendrive could not be correctly parsed"  # the real server's text


class OpenDriveError(ValueError):
    """An OpenDRIVE file that no town can be made of.

    Attributes:
        reason: what was expected, what came.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"{REFUSAL}: {reason}")
        self.reason = reason
