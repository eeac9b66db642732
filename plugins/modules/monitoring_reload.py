#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: monitoring_reload
short_description: Has Prometheus, Alertmanager or the prober run what is written, and proves it
version_added: 0.1.0
author:
  - Steadfast AI Platform contributors (@steadfast-ai)
description:
  - Asks the service, by its own metrics, when it last took a configuration. When one of its files is newer, it is reloaded.
  - Waits until it is ready and says that it took the configuration. A service that goes on with an old configuration because the new one is
    refused is an error, with its last log lines; Prometheus itself only writes a line about it.
  - A run that was cut off between writing and reloading is made good by the next one.
options:
  unit:
    description: Its systemd unit.
    type: str
    required: true
  url:
    description: Where it answers, without path.
    type: str
    required: true
  prefix:
    description: How the names of its own metrics begin.
    type: str
    choices: [prometheus, alertmanager, blackbox_exporter]
    required: true
  files:
    description: Files and folders that it reads when it is reloaded. A folder counts with what is directly in it.
    type: list
    elements: path
    required: true
  username:
    description: Of basic authentication.
    type: str
  password:
    description: Of basic authentication.
    type: str
  timeout:
    description: Seconds until it must be ready, and until it must have taken the configuration.
    type: int
    default: 120
attributes:
  check_mode:
    description: Says whether it would reload.
    support: full
notes:
  - The service's certificate is not verified. It is asked on the host that it runs on.
"""

EXAMPLES = r"""
- name: Have Prometheus run what was written
  steadfast.ai_platform.monitoring_reload:
    unit: prometheus
    url: http://192.0.2.61:9090
    prefix: prometheus
    files: [/etc/prometheus/prometheus.yml, /etc/prometheus/rules]
"""

RETURN = r"""
loaded_at:
  description: When it last took a configuration, in seconds since 1970.
  type: float
  returned: success
newer:
  description: Files that were newer than that before this call.
  type: list
  elements: str
  returned: success
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

from ..module_utils.engine.answers import metric_total
from ..module_utils.errors import PlatformError, Unreadable

PAUSE = 0.25
MAX_BODY = 4 * 1024 * 1024


class Service:
    """One service, asked on its own host."""

    def __init__(self, module):
        self.module, self.params = module, module.params

    def get(self, path):
        """Body of a path. Raises Unreadable."""
        try:
            answer = open_url(
                self.params["url"].rstrip("/") + path,
                timeout=5,
                use_proxy=False,
                validate_certs=False,
                url_username=self.params["username"],
                url_password=self.params["password"],
                force_basic_auth=bool(self.params["username"]),
            )
            return answer.read(MAX_BODY).decode("utf-8", "replace")
        except Exception as error:  # urllib's, http.client's and socket's errors have no common parent but this
            raise Unreadable("{0}{1} does not answer: {2}".format(self.params["url"], path, error)) from error

    def loaded(self):
        """When it last took a configuration, and whether the last one was taken. Raises Unreadable."""
        body, name = self.get("/metrics"), self.params["prefix"] + "_config_last_reload_success"
        return metric_total(body, [name + "_timestamp_seconds"]), metric_total(body, [name + "ful"]) == 1

    def wait_ready(self):
        """Return when it is ready. Raises Unreadable."""
        deadline = time.monotonic() + self.params["timeout"]
        path = "/-/healthy" if self.params["prefix"] == "blackbox_exporter" else "/-/ready"
        while True:
            try:
                self.get(path)
                return
            except Unreadable:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(PAUSE)

    def reload(self, before):
        """Reload, and return when it has taken a configuration later than `before`. Raises Unreadable."""
        code, _out, error = self.module.run_command(["systemctl", "reload", self.params["unit"]])
        if code:
            raise Unreadable("{0} cannot be reloaded: {1}".format(self.params["unit"], error.strip()))
        deadline = time.monotonic() + self.params["timeout"]
        while time.monotonic() < deadline:
            at, taken = self.loaded()
            if not taken:
                break
            if at != before:
                return at
            time.sleep(PAUSE)
        raise Unreadable(self.refusal())

    def refusal(self):
        """What it said last."""
        command = ["journalctl", "--unit", self.params["unit"], "--lines", "5", "--output", "cat", "--no-pager"]
        _code, said, _error = self.module.run_command(command)
        return "{0} goes on with its old configuration. Its last lines: {1}".format(self.params["unit"], said.strip())


def newer(paths, moment):
    """Those of the files, and of what is in the folders, that came to lie there after a moment. A missing one is none."""
    found = []
    for path in paths:
        inside = [os.path.join(path, name) for name in sorted(os.listdir(path))] if os.path.isdir(path) else []
        # The change time: a file that is moved into place keeps its older modification time.
        found += [each for each in (path, *inside) if os.path.exists(each) and os.stat(each).st_ctime > moment]
    return found


def main():
    module = AnsibleModule(
        argument_spec={
            "unit": {"type": "str", "required": True},
            "url": {"type": "str", "required": True},
            "prefix": {
                "type": "str",
                "choices": ["prometheus", "alertmanager", "blackbox_exporter"],
                "required": True,
            },
            "files": {"type": "list", "elements": "path", "required": True},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    service = Service(module)
    try:
        service.wait_ready()
        at, taken = service.loaded()
        found = newer(module.params["files"], at)
        changed = bool(found) or not taken
        if changed and not module.check_mode:
            at = service.reload(at)
    except PlatformError as error:
        module.fail_json(msg=error.message)
    module.exit_json(changed=changed, loaded_at=at, newer=found)


if __name__ == "__main__":
    main()
