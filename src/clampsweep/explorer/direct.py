"""What the explorer asks of this machine goes through no proxy; what it asks of a hub may."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from clampsweep.environment import environment


@contextmanager
def no_proxy() -> Iterator[None]:
    """The environment's proxies are not there: not asked, and not made ready to be asked.

    To exempt 127.0.0.1 would not do: httpx prepares every proxy that is set, and a SOCKS proxy
    needs a package that may not be installed.
    """
    with environment(no_proxy="*"):
        yield
