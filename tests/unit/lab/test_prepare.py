# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two who prepare a lab at once go one after the other."""

from __future__ import annotations

import threading

from tests.lab import prepare


def test_the_second_waits_for_the_first_and_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("STEADFAST_CACHE", str(tmp_path))
    order = []

    def second():
        with prepare.alone():
            order.append("second")

    with prepare.alone():
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.3)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    assert "waiting for it" in capsys.readouterr().err
