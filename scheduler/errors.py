"""The one exception tree; a lost link is not in it, because that is a placement outcome.

    VdapError                 exit code 1 at a process edge
    +-- ConfigError           exit code 2: the user's YAML, flags or environment
    +-- MissingPartError      an extra, a wheel or a file that is not installed
    +-- CertificateError      a key that is missing, unreadable or refused
    +-- PortInUseError        an address that another process holds
    +-- SourceError           a camera, video or recording that gives no frames
    +-- WorldError            the simulated world answered wrongly or not at all
    +-- WireError             bytes from a socket that are not a message of ours

A message says what was expected, what came, and what to do.
"""

from typing import ClassVar


class VdapError(Exception):
    """Root of every error that a user can act on."""

    exit_code: ClassVar[int] = 1


class ConfigError(VdapError):
    """The configuration is wrong; the message holds the path of the key."""

    exit_code: ClassVar[int] = 2


class MissingPartError(VdapError):
    """A part that this installation lacks; the message names the extra that brings it."""


class CertificateError(VdapError):
    """A CURVE key is missing, unreadable, or refused by the other side."""


class PortInUseError(VdapError):
    """Another process listens at this address."""


class SourceError(VdapError):
    """A frame source that cannot be opened or gives no frames."""


class WorldError(VdapError):
    """The world refused a call or does not answer."""


class WireError(VdapError):
    """A malformed message; the receiver counts it and drops it."""
