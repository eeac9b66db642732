# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page is served to many, and nobody can keep it from the others for long."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import urllib.error
import urllib.request

import pytest
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly import page as page_module
from ansible_collections.steadfast.ai_platform.plugins.module_utils.anomaly.page import MOST_CALLERS, Page

TEXT = b"steadfast_anomaly_series 1\n"


@pytest.fixture
def page(monkeypatch):
    monkeypatch.setattr(page_module, "PATIENCE_S", 1.0)
    with Page("127.0.0.1", 0) as found:
        found.text = TEXT
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield found
        found.shutdown()


def get(page, path="/metrics"):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open("http://127.0.0.1:{0}{1}".format(page.server_address[1], path), timeout=30) as answer:
        return answer.headers, answer.read()


def status(page, path):
    with pytest.raises(urllib.error.HTTPError) as caught:
        get(page, path)
    return caught.value.code


def test_the_page(page):
    headers, text = get(page)
    assert text == TEXT
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert headers["Server"] == "steadfast"
    assert status(page, "/") == 404


def test_before_the_first_run_it_says_so(page):
    page.text = b""
    assert status(page, "/metrics") == 503


def test_only_get_is_known(page):
    with socket.create_connection(page.server_address) as caller:
        caller.sendall(b"DELETE /metrics HTTP/1.1\r\n\r\n")
        assert b" 501 " in caller.makefile("rb").readline()


def test_who_is_slow_keeps_the_others_waiting_only_for_a_while(page):
    with contextlib.ExitStack() as stack:
        for _each in range(MOST_CALLERS):
            caller = stack.enter_context(socket.create_connection(page.server_address))
            caller.sendall(b"GET /met")
        began = time.monotonic()
        while True:
            try:
                assert get(page)[1] == TEXT
                break
            except (urllib.error.URLError, OSError):
                assert time.monotonic() - began < 20
                time.sleep(0.1)
        assert time.monotonic() - began > 0.5


def test_a_drip_of_headers_ends_in_time(page):
    with socket.create_connection(page.server_address) as caller:
        caller.sendall(b"GET /metrics HTTP/1.1\r\nA: ")
        began = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - began < 20:
                caller.sendall(b"a")
                time.sleep(0.05)
        assert time.monotonic() - began < 15


def test_an_address_that_is_taken_is_an_error(page):
    with pytest.raises(OSError, match="in use"):
        Page("127.0.0.1", page.server_address[1])
