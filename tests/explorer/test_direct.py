"""Proxies of the environment: not for this machine, and there again afterwards."""

from __future__ import annotations

import os
import urllib.request

import pytest

from clampsweep.explorer.direct import no_proxy

PROXIES = {"http_proxy": "http://127.0.0.1:9", "all_proxy": "socks5://127.0.0.1:9"}


@pytest.mark.parametrize("exempt", [None, "example.org"])
def test_proxies_are_out_of_the_way_for_a_while_and_then_as_they_were(monkeypatch, exempt):
    for name, value in {**PROXIES, "no_proxy": exempt}.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)
    before = dict(os.environ)
    assert not urllib.request.proxy_bypass("127.0.0.1")
    with no_proxy():
        assert urllib.request.proxy_bypass("127.0.0.1")
    assert dict(os.environ) == before


def test_a_client_can_be_made_where_a_socks_proxy_is_set(monkeypatch):
    httpx = pytest.importorskip("httpx")
    monkeypatch.setenv("all_proxy", PROXIES["all_proxy"])
    with no_proxy(), httpx.Client():
        pass
