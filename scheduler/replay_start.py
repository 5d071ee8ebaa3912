"""The instant at which a recorded run begins anew, told by the launcher to all who replay it.

Vehicles load their models for seconds, each its own; frames and link must begin together, so both
wait for a file that is written when everybody is ready.
"""

from pathlib import Path

from scheduler.errors import ConfigError


class ReplayStart:
    """The instant, as soon as it is known.

    Args:
        path: Of the file that will hold it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ns: int | None = None

    def ns(self) -> int | None:
        """On this machine's monotonic clock; None while the launcher has not written it.

        Raises:
            ConfigError: the file holds something else.
        """
        if self._ns is None:
            try:
                text = self._path.read_text(encoding="ascii")
            except FileNotFoundError:
                return None
            try:
                self._ns = int(text)
            except ValueError:
                raise ConfigError(
                    f"{self._path}: expected nanoseconds of the monotonic clock, got {text[:40]!r}"
                ) from None
        return self._ns


def tell(path: Path, begin_ns: int) -> None:
    """Write the instant; readers see all of it or nothing."""
    scratch = path.with_name(f".{path.name}.part")
    scratch.write_text(str(begin_ns), encoding="ascii")
    scratch.replace(path)
