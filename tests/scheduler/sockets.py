"""A ZeroMQ context for tests that closes every socket it made."""

import contextlib

import zmq


class Keeping(zmq.Context):
    """Holds its sockets, so that none is collected while it is open."""

    kept: list = []  # noqa: RUF012 - shared on purpose: attributes of a context are options

    def socket(self, *arguments, **options):
        made = super().socket(*arguments, **options)
        self.kept.append(made)
        return made


@contextlib.contextmanager
def keeping_context():
    context = Keeping()
    try:
        yield context
    finally:
        for made in Keeping.kept:
            made.close(0)
        Keeping.kept.clear()
        context.destroy(linger=0)
