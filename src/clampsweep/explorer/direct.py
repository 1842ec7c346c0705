"""What the explorer asks of this machine goes through no proxy; what it asks of a hub may."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_proxy() -> Iterator[None]:
    """The environment's proxies are not there: not asked, and not made ready to be asked.

    To exempt 127.0.0.1 would not do: httpx prepares every proxy that is set, and a SOCKS proxy
    needs a package that may not be installed.
    """
    before = os.environ.get("no_proxy")
    os.environ["no_proxy"] = "*"
    try:
        yield
    finally:
        os.environ.pop("no_proxy")
        if before is not None:
            os.environ["no_proxy"] = before
