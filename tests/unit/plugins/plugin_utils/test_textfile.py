# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics that last from run to run."""

from __future__ import annotations

from ansible_collections.steadfast.ai_platform.plugins.plugin_utils.textfile import merge, read, render, sample
from hypothesis import given
from hypothesis import strategies as st

SUCCESS, BATCHES = "steadfast_rollout_last_run_success", "steadfast_rollout_batches_total"


def test_text() -> None:
    assert render([sample(SUCCESS, 1, release="r1", pool="serving")]) == (
        "# HELP steadfast_rollout_last_run_success 1 if the pool's last rollout succeeded, else 0.\n"
        "# TYPE steadfast_rollout_last_run_success gauge\n"
        'steadfast_rollout_last_run_success{pool="serving",release="r1"} 1\n'
    )


def test_label_values_are_escaped() -> None:
    line = render([sample(SUCCESS, 1, pool='a"b\\c\nd')]).splitlines()[-1]
    assert line == 'steadfast_rollout_last_run_success{pool="a\\"b\\\\c\\nd"} 1'


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=20), st.floats(allow_nan=False))
def test_what_is_written_is_read(pool: str, value: float) -> None:
    found = [sample(SUCCESS, float(f"{value:.10g}"), pool=pool)]
    assert read(render(found)) == found


def test_a_pools_new_run_replaces_its_own_and_no_others() -> None:
    earlier = [sample(SUCCESS, 1, pool="a", release="r1"), sample(SUCCESS, 1, pool="b", release="r1")]
    new = [sample(SUCCESS, 0, pool="a", release="r2")]
    assert set(merge(earlier, new)) == {earlier[1], new[0]}
    assert set(merge(earlier, iter(new))) == {earlier[1], new[0]}


def test_counters_go_on() -> None:
    earlier = [sample(BATCHES, 4, outcome="verified"), sample(BATCHES, 1, outcome="reverted")]
    assert set(merge(earlier, [sample(BATCHES, 2, outcome="verified")])) == {
        sample(BATCHES, 6, outcome="verified"),
        sample(BATCHES, 1, outcome="reverted"),
    }


@given(st.text(max_size=200) | st.text('steadfast_rollout_last_run_success{}=", 1\\\n', max_size=200))
def test_garbage_is_left_out(content: str) -> None:
    render(merge(read(content + '\nsteadfast_rollout_last_run_success{pool="a"} x\nup{} 1'), []))
