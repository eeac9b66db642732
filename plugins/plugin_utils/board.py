# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator watches, as text: events of rollouts in, lines out. Pure; time is an argument, in epoch seconds.

Events come from a file that others write, so nothing in them is believed: what is unknown or torn is passed over, and
of every text only printable characters remain.
"""

from __future__ import annotations

import json
import math
import unicodedata
from dataclasses import dataclass, field, replace

MAX_LINE = 1 << 20  # bytes; an event is a few hundred
MAX_TEXT = 500
MAX_RUNS = 16
MAX_NODES = 512
# Seconds between two plain lines about the same wait.
PATIENCE = 10.0

# Tones are a help for the eye; the words say all.
GOOD, BAD, BUSY, PLAIN = "good", "bad", "busy", ""
# word: (symbol, symbol in ASCII, tone)
SIGNS = {
    "pending": ("·", ".", PLAIN),
    "draining": ("↓", "v", BUSY),
    "changing": ("↻", "~", BUSY),
    "admitting": ("↑", "^", BUSY),
    "baking": ("◔", "o", BUSY),
    "waiting": ("…", ":", BUSY),
    "verified": ("✔", "+", GOOD),
    "reverting": ("↺", "<", BAD),
    "reverted": ("←", "-", BAD),
    "quarantined": ("⊘", "#", BAD),
    "failed": ("✘", "!", BAD),
    "stopped": ("■", "!", BAD),
    "succeeded": ("✔", "+", GOOD),
    "pass": ("✔", "+", GOOD),
    "fail": ("✘", "!", BAD),
    "inconclusive": ("?", "?", BUSY),
    "opened": ("▶", ">", PLAIN),
}
PHASES = ("draining", "changing", "admitting", "baking", "verified", "reverting", "reverted", "quarantined", "failed")


@dataclass(frozen=True)
class Line:
    """One line of text and its tone. `passing` ones are not worth keeping where a block shows the same."""

    text: str
    tone: str = PLAIN
    passing: bool = False


@dataclass(frozen=True)
class Node:
    """A node's phase and since when."""

    phase: str = "pending"
    since: float = 0.0
    detail: str = ""


@dataclass(frozen=True)
class Rollout:
    """What the events said so far about one run. `left_s` is meant at `told_at`; `said_at` paces plain lines."""

    run: str
    pool: str = ""
    release: str = ""
    mode: str = ""
    batches: tuple[tuple[str, ...], ...] = ()
    batch: int = 0
    of: int = 0
    nodes: dict[str, Node] = field(default_factory=dict)
    traffic: dict[str, str] = field(default_factory=dict)
    gate: str = ""
    numbers: str = ""
    left_s: float | None = None
    told_at: float = 0.0
    said_at: float | None = None
    verdicts: dict[tuple[int, str], str] = field(default_factory=dict)
    outcome: str = ""


# --- Reading what may be anything ------------------------------------------------------------------------------------


def text(value, limit=MAX_TEXT):
    """Printable characters of a value, blanks for line ends; empty for nothing and for what is no text or number."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return str(value).lower() if isinstance(value, bool) else ""
    if isinstance(value, float):
        value = "{0:.6g}".format(value)
    if isinstance(value, int):
        value = "{0:d}".format(value) if abs(value) < 1 << 64 else "a huge number"
    if len(value) <= limit and value.isprintable():
        return " ".join(value.split())
    kept = (" " if char in "\n\r\t" else char for char in value[: 4 * limit] if char in "\n\r\t" or _printable(char))
    return " ".join("".join(kept).split())[:limit]


def paragraphs(value):
    """As `text`, without a limit and with its line ends and indents kept."""
    return "".join(char for char in str(value) if char in "\n\t" or _printable(char))


def _printable(char):
    category = unicodedata.category(char)
    return category[0] != "C" and category not in ("Zl", "Zp")


def number(value):
    """A finite number, or None."""
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    try:
        return float(value) if good and math.isfinite(value) else None
    except OverflowError:
        return None


def count(value, otherwise):
    """A count within reason, or what to take otherwise."""
    found = number(value)
    return int(found) if found is not None and 0 <= found <= 1e6 else otherwise


def names(value):
    """A list of names."""
    found = [text(name, 80) for name in value[:MAX_NODES]] if isinstance(value, list) else []
    return tuple(name for name in found if name)


def mapping(value):
    """A dictionary, empty for anything else."""
    return value if isinstance(value, dict) else {}


def parse(line):
    """One line of the events' file: the event, or None for what is none."""
    if len(line) > MAX_LINE:
        return None
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if is_event(event) else None


def is_event(found):
    """Whether something has what every event has."""
    return isinstance(found, dict) and isinstance(found.get("event"), str) and bool(text(found.get("run"), 80))


class Splitter:
    """Cuts a stream of bytes into events. A torn end waits for its rest; a line without end is given up."""

    def __init__(self):
        self._rest = b""

    def feed(self, data):
        """The events that are whole now."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE:
            self._rest = b""
        found = (parse(line) for line in lines)
        return [event for event in found if event is not None]


# --- Events into a state --------------------------------------------------------------------------------------------


def fold(state, event, now):
    """The state after an event. `now` stands in for a time that the event does not tell."""
    at = number(event.get("at"))
    at = now if at is None else at
    state = replace(state, pool=text(event.get("pool"), 80) or state.pool)
    step = {"run_opened": _opened, "phase": _phase, "waiting": _waiting, "traffic": _traffic, "verdicts": _verdicts}
    if event["event"] == "run_closed":
        return replace(state, outcome=text(event.get("outcome"), 20) or "stopped", gate="")
    return step[event["event"]](state, event, at) if event["event"] in step else state


def _opened(state, event, _at):
    batches = event.get("batches") if isinstance(event.get("batches"), list) else []
    found = tuple(names(batch) for batch in batches[:MAX_NODES])
    return Rollout(
        run=state.run,
        pool=state.pool,
        release=text(event.get("release"), 80),
        mode=text(event.get("mode"), 20),
        batches=found,
        of=len(found),
    )


def _phase(state, event, at):
    phase = event.get("phase")
    if phase not in PHASES:
        return state
    batch, of = count(event.get("batch"), state.batch), count(event.get("batches"), state.of)
    nodes = dict(state.nodes)
    for name in names(event.get("nodes")):
        last = nodes.get(name)
        since = last.since if last and last.phase == phase and batch == state.batch else at
        if last or len(nodes) < MAX_NODES:
            nodes[name] = Node(phase, since, text(event.get("detail"), 200))
    return replace(state, batch=batch, of=of, nodes=nodes, gate="")


def _waiting(state, event, at):
    state = _phase(state, event, at)
    told = [(text(key, 40), text(value, 40)) for key, value in list(mapping(event.get("numbers")).items())[:12]]
    return replace(
        state,
        gate=text(event.get("gate"), 80) or "the next step",
        numbers=", ".join("{0} {1}".format(key, value) for key, value in told if key and value),
        left_s=number(event.get("left_s")),
        told_at=at,
    )


def _traffic(state, event, _at):
    found = {}
    for name, server in list(mapping(event.get("servers")).items())[:MAX_NODES]:
        requests, errors, took = (number(mapping(server).get(key)) for key in ("requests", "errors", "response_ms"))
        if requests is not None and errors is not None:
            said = "{0:.0f} requests, {1:.0f} errors".format(requests, errors)
            found[text(name, 80)] = said + ("" if took is None else ", {0:.0f} ms".format(took))
    return replace(state, traffic=found)


def _verdicts(state, event, _at):
    return replace(state, verdicts={**state.verdicts, **{key: verdict for key, verdict, _why in _judged(event)}})


def _judged(event):
    """(batch, gate), verdict and reason of each verdict of an event."""
    batch = count(event.get("batch"), 0)
    rows = event.get("verdicts") if isinstance(event.get("verdicts"), list) else []
    for row in rows[:50]:
        gate, verdict = text(mapping(row).get("gate"), 80), text(mapping(row).get("verdict"), 20)
        if gate and verdict:
            yield (batch, gate), verdict, text(row.get("reason"))


# --- The state as lines ---------------------------------------------------------------------------------------------


def sign(word, ascii_only):
    """A word with its symbol."""
    wide, narrow, _tone = SIGNS.get(word, ("·", ".", PLAIN))
    return "{0} {1}".format(narrow if ascii_only else wide, word)


def tone(word):
    """A word's tone."""
    return SIGNS[word][2] if word in SIGNS else PLAIN


def duration(seconds):
    """Seconds in words: 9s, 1m 09s, 1h 02m."""
    whole = int(max(0.0, min(seconds, 1e9)))
    if whole < 60:
        return "{0}s".format(whole)
    if whole < 3600:
        return "{0}m {1:02d}s".format(whole // 60, whole % 60)
    return "{0}h {1:02d}m".format(whole // 3600, whole // 60 % 60)


def news(before, after, event, now, ascii_only=False):
    """What an event says that was not said yet, as plain lines, and the state that remembers having said it."""
    kind, place = event["event"], _place(after)
    if kind == "run_opened":
        return _opening(after, ascii_only), after
    if kind == "run_closed":
        closing = "rollout {0} of {1}: {2}".format(after.run, after.pool, sign(after.outcome, ascii_only))
        tail = [text(event.get("reason")), text(event.get("report")) and "report: " + text(event.get("report"))]
        return [Line("; ".join([closing, *filter(None, tail)]), tone(after.outcome))], after
    lines = []
    if kind == "verdicts":
        for key, verdict, why in _judged(event):
            if before.verdicts.get(key) != verdict:
                said = "{0}: {1}: {2}: {3}".format(place, key[1], sign(verdict, ascii_only), why)
                lines.append(Line(said, tone(verdict)))
    if kind in ("phase", "waiting") and after.nodes != before.nodes:
        lines += _moved(before, after, event, ascii_only)
        after = replace(after, said_at=now) if lines else after
    if kind == "waiting" and after.gate and (after.said_at is None or abs(now - after.said_at) >= PATIENCE):
        lines.append(Line("{0}: {1}".format(place, _wait(after, now, ascii_only)), BUSY, passing=True))
        after = replace(after, said_at=now)
    return lines, after


def _place(state):
    return "{0} batch {1}/{2}".format(state.pool, state.batch, state.of)


def _opening(state, ascii_only):
    said = "rollout {0}: {1} {2} -> {3} ({4})".format(
        state.run, sign("opened", ascii_only), state.pool, state.release, state.mode
    )
    order = " | ".join(", ".join(batch) for batch in state.batches)
    return [Line(said), Line("{0} batches: {1}".format(state.of, order or "none"))]


def _moved(before, after, event, ascii_only):
    moved = [name for name in names(event.get("nodes")) if _stage(before, name) != _stage(after, name)]
    if not moved:
        return []
    node = after.nodes[moved[0]]
    said = "{0}: {1} {2}".format(_place(after), sign(node.phase, ascii_only), ", ".join(moved))
    return [Line(said + (": " + node.detail if node.detail else ""), tone(node.phase), passing=True)]


def _stage(state, name):
    node = state.nodes.get(name)
    return node and (node.phase, node.since)


def _wait(state, now, ascii_only):
    left = ""
    if state.left_s is not None:
        left = "{0} left".format(duration(state.left_s - max(0.0, now - state.told_at)))
    told = ", ".join(filter(None, [state.numbers, left]))
    return "{0} for {1}{2}".format(sign("waiting", ascii_only), state.gate, ": " + told if told else "")


def block(state, now, ascii_only=False):
    """The lines to keep on the screen while a run goes on: where it stands, its batch's nodes, what it waits for."""
    head = "{0} -> {1}   batch {2} of {3}".format(state.pool, state.release or "?", state.batch, state.of)
    lines = [Line(head + ("   " + state.mode if state.mode else ""))]
    planned = state.batches[state.batch - 1] if 0 < state.batch <= len(state.batches) else ()
    shown = planned or tuple(state.nodes)
    width = max((len(name) for name in shown), default=0)
    for name in shown:
        node = state.nodes.get(name, Node())
        passed = "" if node.phase == "pending" else duration(now - node.since)
        row = "  {0:<{1}}  {2:<13} {3:>7}".format(name, width, sign(node.phase, ascii_only), passed)
        more = filter(None, [state.traffic.get(name, ""), node.detail])
        lines.append(Line("  ".join([row, *more]).rstrip(), tone(node.phase)))
    if state.gate:
        lines.append(Line("  " + _wait(state, now, ascii_only), BUSY))
    return lines


class Board:
    """The rollouts of one run of Ansible."""

    def __init__(self, ascii_only=False):
        self.ascii_only = ascii_only
        self.runs = {}

    def take(self, event, now):
        """Learn one event; return what it says anew, as plain lines."""
        run = text(event["run"], 80)
        before = self.runs.setdefault(run, Rollout(run))
        if len(self.runs) > MAX_RUNS:
            del self.runs[next(iter(self.runs))]
        lines, self.runs[run] = news(before, fold(before, event, now), event, now, self.ascii_only)
        return [fit(line, 10 * MAX_TEXT, self.ascii_only) for line in lines]

    def lines(self, now, width, height):
        """The block of every run that goes on, cut to the screen."""
        going = [state for state in self.runs.values() if not state.outcome and state.of]
        found = [line for state in going for line in block(state, now, self.ascii_only)]
        if height < 3:
            return []
        if len(found) > height:
            # The last line is what is waited for: it stays.
            more = Line("  and {0} more".format(len(found) - height + 1))
            found = [*found[: height - 2], more, found[-1]]
        return [fit(line, width, self.ascii_only) for line in found]


def fit(line, width, ascii_only=False):
    """A line cut to a number of columns, in ASCII where the output knows no more."""
    said = line.text.encode("ascii", "replace").decode("ascii") if ascii_only else line.text
    used = 0
    for place, char in enumerate(said):
        used += 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if used > width:
            return replace(line, text=said[:place])
    return replace(line, text=said)


def reason(result):
    """Why a task failed, from its result: its message, or those of a loop's items that failed; never what is secret."""
    if result.get("_ansible_no_log") or "censored" in result:
        return "(hidden by no_log)"
    rows = result.get("results")
    items = [item for item in rows if isinstance(item, dict) and item.get("failed")] if isinstance(rows, list) else []
    return "; ".join(reason({**item, "results": None}) for item in items) or str(result.get("msg", "no message"))
