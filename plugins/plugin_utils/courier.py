# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries one of this collection's modules to a host without the weight of Ansible's own module library.

A rollout asks small questions often, and unpacking and compiling Ansible's library for each takes longer than the
question. The module is the same file that Ansible runs; here it meets a stand-in for AnsibleModule
that takes arguments which this collection's own code made. The host needs Python and nothing else.
"""

from __future__ import annotations

import base64
import json
import zlib
from functools import cache
from pathlib import Path

PLUGINS = Path(__file__).resolve().parent.parent
NAMESPACE = "steadfast.ai_platform."
PACKAGE = "steadfast_courier"
# Before the answer, so that what a login shell prints is told from it.
MARK = "steadfast-courier-answer:"

BOOT = r"""
import base64, importlib.machinery, json, sys, types, zlib
SOURCES = json.loads(zlib.decompress(base64.b64decode("@SOURCES@")))
PARCEL = json.loads(base64.b64decode("@PARCEL@"))
PACKAGE, MARK = PARCEL["package"], PARCEL["mark"]


class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        package = name.startswith(PACKAGE) and any(other.startswith(name + ".") for other in SOURCES)
        if name in SOURCES or package:
            return importlib.machinery.ModuleSpec(name, cls, is_package=package)

    @staticmethod
    def create_module(spec):
        return None

    @staticmethod
    def exec_module(module):
        if module.__name__ in SOURCES:
            exec(compile(SOURCES[module.__name__], module.__name__, "exec"), module.__dict__)


def answer(result):
    print(MARK + json.dumps(result))
    sys.exit(0)


KINDS = {"int": int, "float": float, "str": str, "path": str}
KINDS["bool"] = lambda value: str(value).lower() in ("true", "1", "yes", "on")


class AnsibleModule:
    def __init__(self, argument_spec, supports_check_mode=False, required_if=()):
        self.check_mode = False
        self.params = {}
        strange = sorted(set(PARCEL["arguments"]) - set(argument_spec))
        if strange:
            self.fail_json(msg="Unsupported parameters: " + ", ".join(strange))
        for name, spec in argument_spec.items():
            value = PARCEL["arguments"].get(name, spec.get("default"))
            if value is None and spec.get("required"):
                self.fail_json(msg="missing required arguments: " + name)
            kind = KINDS.get(spec.get("type", "str"))
            self.params[name] = kind(value) if kind and value is not None else value

    def run_command(self, argv):
        import subprocess
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
        return done.returncode, done.stdout, done.stderr

    def exit_json(self, **result):
        answer(dict({"changed": False}, **result))

    def fail_json(self, msg, **result):
        answer(dict(result, failed=True, msg=msg))


for name in ("ansible", "ansible.module_utils", "ansible.module_utils.basic"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["ansible.module_utils.basic"].AnsibleModule = AnsibleModule
sys.meta_path.insert(0, Finder)
importlib.import_module(PACKAGE + ".modules." + PARCEL["module"]).main()
"""


def carries(module):
    """True for a module of this collection."""
    return module.startswith(NAMESPACE)


def parcel(module, arguments):
    """The program for the host's Python, to be given on its standard input."""
    name = module[len(NAMESPACE) :]
    asked = json.dumps({"package": PACKAGE, "mark": MARK, "module": name, "arguments": arguments})
    program = BOOT.replace("@SOURCES@", pack(module)).replace("@PARCEL@", base64.b64encode(asked.encode()).decode())
    return "import importlib\n" + program


def opened(result):
    """What the module answered, out of a command's result; without an answer, a failure that says what was there."""
    for line in str(result.get("stdout", "")).splitlines():
        before, mark, body = line.partition(MARK)
        if mark and not before:
            try:
                return json.loads(body)
            except ValueError:
                break
    # As Ansible says it when a module did not answer.
    return {
        "failed": True,
        "msg": "MODULE FAILURE: no answer",
        "module_stdout": str(result.get("stdout", ""))[:2000],
        "module_stderr": str(result.get("stderr", ""))[-2000:],
        "rc": result.get("rc"),
    }


@cache
def pack(module):
    """The module and every file of module_utils, each under its name on the host, packed. Takes some 20 ms, once."""
    sources = {**_library(), **_named(PLUGINS / "modules" / (module[len(NAMESPACE) :] + ".py"))}
    return base64.b64encode(zlib.compress(json.dumps(sources).encode())).decode()


@cache
def _library():
    return _named(*(path for path in sorted(PLUGINS.glob("module_utils/**/*.py")) if path.name != "__init__.py"))


def _named(*paths):
    names = [".".join((PACKAGE, *path.relative_to(PLUGINS).with_suffix("").parts)) for path in paths]
    return {name: path.read_text("utf-8") for name, path in zip(names, paths)}
