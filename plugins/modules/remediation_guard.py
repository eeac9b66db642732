#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: remediation_guard
short_description: Says whether an action may be taken for an alert, and remembers what was
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - V(ask) puts an alert to the rules of C(docs/guard.md) and answers V(act), V(refuse), V(wait) or V(ask), with the rule that spoke and its numbers. With
    V(act) comes a permit; whoever acts begins with it (V(begin)) within a minute and says how it ended (V(end)).
  - V(pause), V(resume), V(approve) and V(reset) are for people; each is written down with who and why. A breaker that has tripped lets nothing act until
    V(reset).
  - Everything is in a log in which each record has the hash of the one before. V(verify) finds what was changed, taken out or moved.
  - With O(ledger_hosts) the log is on all of them and valid with a majority, whichever controller asks. Without, it is on the host that the module
    runs on, and on that host alone; one guard decides for a fleet, so always run it on the same host then.
options:
  state:
    description: What is asked or told.
    type: str
    choices: [ask, begin, end, approve, pause, resume, reset, status, verify]
    default: status
  folder:
    description: Folder of the log, without O(ledger_hosts).
    type: path
    default: /var/lib/steadfast/guard
  ledger_hosts:
    description:
      - Hosts of the inventory that keep the log together. It is valid with a majority of them; without one, nothing is allowed.
      - The question is then put on the controller, whichever host the task names.
    type: list
    elements: str
    default: []
  policy:
    description: What is allowed, as C(docs/guard.md) says. For V(ask); V(end) and V(approve) take the defaults of two limits without it.
    type: dict
  event:
    description: One alert of an Alertmanager webhook, with V(seenAt) from whoever saw it last. For V(ask).
    type: dict
  facts:
    description: What is known of the fleet now, as C(docs/guard.md) says. For V(ask).
    type: dict
  permit:
    description: Number that V(ask) has given. For V(begin) and V(end).
    type: int
  outcome:
    description: How the action ended. V(lost) when nobody knows. For V(end).
    type: str
    choices: [done, failed, lost]
  host:
    description: Name of the host. For V(approve); with V(status), the records about it.
    type: str
    default: ""
  action:
    description: Name of the action. For V(approve).
    type: str
  by:
    description: The person. For V(approve), V(pause), V(resume) and V(reset).
    type: str
  reason:
    description: Why, or a note on how it ended.
    type: str
    default: ""
  skip_backlog:
    description: Whether alerts that began before a V(reset) are left alone. When they are not, they are decided about as if they were new.
    type: bool
    default: true
  head:
    description: The end of the log as it was known elsewhere at some time, from RV(head) of an earlier result. For V(verify).
    type: str
  last:
    description: How many of the newest records V(status) explains.
    type: int
    default: 20
attributes:
  check_mode:
    description: Says what it would answer, and writes nothing. A permit of check mode cannot be begun with.
    support: full
notes:
  - Fails when the log cannot be read or is not what was written; then nothing is allowed.
"""

EXAMPLES = r"""
- name: Ask whether something may be done about an alert
  steadfast.ai_platform.remediation_guard:
    state: ask
    policy: "{{ remediator_policy }}"
    event: "{{ alert }}"
    facts: "{{ found }}"
  register: answer

- name: Let nothing be done while a rack is moved
  steadfast.ai_platform.remediation_guard:
    state: pause
    by: alice
    reason: rack 3 is moved until 18:00

- name: Look at the log, and compare it with its end as it was yesterday
  steadfast.ai_platform.remediation_guard:
    state: verify
    head: "{{ yesterday.head }}"
"""

RETURN = r"""
verdict:
  description: V(act), V(refuse), V(wait), or V(ask) when a person is needed.
  type: str
  returned: with O(state=ask)
rule:
  description: The rule that spoke.
  type: str
  returned: with O(state=ask)
reason:
  description: Why, with the numbers.
  type: str
  returned: with O(state=ask)
numbers:
  description: The numbers alone.
  type: dict
  returned: with O(state=ask)
action:
  description: What may be done, or what a person is asked about.
  type: str
  returned: with O(state=ask)
playbook:
  description: Its playbook, by the policy.
  type: str
  returned: with O(state=ask)
retry_after:
  description: Seconds until it makes sense to ask again, having looked again. 0 when it does not.
  type: float
  returned: with O(state=ask)
permit:
  description: With what to begin.
  type: int
  returned: with V(act), outside of check mode
guard:
  description: Whether it is paused or has tripped, what is under way, what a person is asked about.
  type: dict
  returned: with O(state=status)
log:
  description: The newest records in words, oldest first.
  type: list
  elements: str
  returned: with O(state=status)
problems:
  description: What is wrong with the log. The task fails when there is anything.
  type: list
  elements: str
  returned: with O(state=verify)
head:
  description: The end of the log, to be kept elsewhere.
  type: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import PlatformError
from ..module_utils.guard import desk
from ..module_utils.guard.chain import head_of, read_head
from ..module_utils.guard.event import read_event
from ..module_utils.guard.explain import explain_log
from ..module_utils.guard.facts import read_facts
from ..module_utils.guard.policy import read_policy
from ..module_utils.guard.store import Book, now

SPEC = {
    "state": {
        "type": "str",
        "choices": ["ask", "begin", "end", "approve", "pause", "resume", "reset", "status", "verify"],
        "default": "status",
    },
    "folder": {"type": "path", "default": "/var/lib/steadfast/guard"},
    "ledger_hosts": {"type": "list", "elements": "str", "default": []},
    "policy": {"type": "dict"},
    "event": {"type": "dict"},
    "facts": {"type": "dict"},
    "permit": {"type": "int"},
    "outcome": {"type": "str", "choices": list(desk.OUTCOMES)},
    "host": {"type": "str", "default": ""},
    "action": {"type": "str"},
    "by": {"type": "str"},
    "reason": {"type": "str", "default": ""},
    "skip_backlog": {"type": "bool", "default": True},
    "head": {"type": "str"},
    "last": {"type": "int", "default": 20},
}
REQUIRED = [
    ("state", "ask", ["policy", "event", "facts"]),
    ("state", "begin", ["permit"]),
    ("state", "end", ["permit", "outcome"]),
    ("state", "approve", ["action", "by"]),
    ("state", "pause", ["by"]),
    ("state", "resume", ["by"]),
    ("state", "reset", ["by"]),
]


def work_of(params):
    """The question to put to the log, as a function of its state and the time. Raises PlatformError."""
    state, permit = params["state"], str(params["permit"])
    by, reason = params["by"], params["reason"]
    if state in ("approve", "pause", "resume", "reset") and not (by.strip() and reason.strip()):
        raise PlatformError("{0} is for people: say who (by) and why (reason)".format(state))
    policy = read_policy(params["policy"]) if params["policy"] is not None else None
    if state == "ask":
        event, facts = read_event(params["event"]), read_facts(params["facts"])
        return lambda log, moment: desk.ask(log, event, facts, policy, moment)
    return {
        "begin": lambda log, moment: desk.begin(log, permit, moment),
        "end": lambda log, moment: desk.end(log, permit, params["outcome"], reason, policy, moment),
        "approve": lambda log, moment: desk.approve(log, params["host"], params["action"], by, reason, policy, moment),
        "pause": lambda log, moment: desk.pause(log, by, reason),
        "resume": lambda log, moment: desk.resume(log, by, reason),
        "reset": lambda log, moment: desk.reset(log, by, reason, params["skip_backlog"]),
    }[state]


def tell(book, params, check):
    """Put the question; what to say about it."""
    answer, record = book.transact(work_of(params), write=not check)
    said = {key: value for key, value in answer.said.items() if key not in ("permit", "by", "ttl", "skip_backlog")}
    if record and said.get("verdict") == "act":
        said["permit"] = record.seq
    head = head_of([record]) if record else book.head()
    return {**said, "changed": bool(answer.event), "head": str(head)}


def look(book, params):
    """How the guard stands."""
    log, records = book.look()
    words = explain_log(records, params["host"]).splitlines()
    return {
        "changed": False,
        "guard": desk.status(log, now()),
        "log": words[-params["last"] :] if params["last"] > 0 else [],
        "head": str(head_of(records)),
    }


def verify(book, params):
    """Whether the log is what was written. Raises PlatformError when it is not."""
    problems = book.verify(read_head(params["head"]) if params["head"] else None)
    if problems:
        raise PlatformError("the log is not what was written: {0}".format("; ".join(problems)), problems=problems)
    return {"changed": False, "problems": problems, "head": str(book.head())}


def answer(book, params, check):
    """What to say. Raises PlatformError."""
    if params["state"] == "status":
        return look(book, params)
    return verify(book, params) if params["state"] == "verify" else tell(book, params, check)


def main():
    """Ask or tell, and answer."""
    module = AnsibleModule(SPEC, required_if=REQUIRED, supports_check_mode=True)
    if module.params["ledger_hosts"]:
        module.fail_json(msg="with ledger_hosts remediation_guard is an action: it needs Ansible on the controller")
    try:
        said = answer(Book(module.params["folder"]), module.params, module.check_mode)
    except PlatformError as error:
        module.fail_json(msg=error.message, **error.evidence)
    module.exit_json(**said)


if __name__ == "__main__":
    main()
