# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of the house, read off the tree itself. CONTRIBUTING.md gives the reason of each."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
UTILS = ROOT / "plugins" / "module_utils"
MODULES = sorted((ROOT / "plugins" / "modules").glob("*.py"))
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
SCENARIOS = sorted(path.parent for path in (ROOT / "molecule").glob("*/molecule.yml") if path.parent.name != "default")

# Files of module_utils that talk to something: a socket, a process, a disk, a clock. All others decide.
TALKERS = {
    "anomaly/bounded.py",
    "anomaly/client.py",
    "anomaly/daemon.py",
    "anomaly/page.py",
    "anomaly/state.py",
    "atomic.py",
    "disk.py",
    "engine/client.py",
    "engine/load.py",
    "engine/proof.py",
    "engine/shelf.py",
    "engine/switch.py",
    "engine/unit.py",
    "gpu/client.py",
    "gpu/probe.py",
    "guard/store.py",
    "haproxy/client.py",
    "haproxy/control.py",
    "ledger/store.py",
    "remediation/inbox.py",
    "rollout/deadman_service.py",
    "storage/artifacts.py",
    "storage/brick.py",
    "storage/cache.py",
    "storage/gluster_client.py",
    "vrrp/probe.py",
}
SIDE_EFFECTS = {
    "asyncio", "fcntl", "http", "os", "random", "select", "selectors", "shutil", "signal", "socket", "sqlite3",
    "ssl", "subprocess", "tempfile", "threading", "time", "urllib",
}  # fmt: skip
# A room may import itself and what lies under it.
FLOORS = {
    "rollout": 3, "remediation": 3, "guard": 2, "ledger": 1,
    "haproxy": 0, "engine": 0, "gpu": 0, "vrrp": 0, "storage": 0, "anomaly": 0,
}  # fmt: skip

# Hard limits, in lines. The comfortable sizes are in CONTRIBUTING.md.
TASKS_FILE, TASKS_IN_FILE, TASKS_MAIN = 100, 12, 40
DEFAULTS, TEMPLATE, PLAYBOOK = 120, 150, 80
MODULE_CODE, DECIDING_FILE, FUNCTION, CALLBACK = 150, 300, 40, 180

# Spelled in two halves, or this file would break its own rule.
FOREIGN_PLACES = [
    "pypi" + ".org", "python" + "hosted", "deb.debian" + ".org", "archive.ubuntu" + ".com", "npmjs" + ".org",
    "quay" + ".io", "ghcr" + ".io", "registry-1." + "docker", "/work" + "/", "/root" + "/",
]  # fmt: skip


def tree(*suffixes: str) -> list[Path]:
    """Every file that git tracks or would track, with one of these suffixes."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    found = (ROOT / name for name in listed.stdout.split("\0") if name)
    return sorted(path for path in found if path.is_file() and (path.suffix in suffixes or not suffixes))


def ident(value: Any) -> str | None:
    """Paths as test ids."""
    return str(value.relative_to(ROOT)) if isinstance(value, Path) else None


def load(path: Path) -> Any:
    """A YAML file's content."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def lines(path: Path) -> int:
    """Lines of a file."""
    return len(path.read_text(encoding="utf-8").splitlines())


def tasks(content: Any) -> Iterator[dict[str, Any]]:
    """Every task under a playbook, a tasks file or a block, the blocks themselves included."""
    for entry in content or []:
        nested = [entry[key] for key in TASK_LISTS if key in entry]
        if "hosts" not in entry:
            yield entry
        for part in nested:
            yield from tasks(part)


TASK_LISTS = ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always")
TASK_FILES = sorted([*ROOT.glob("roles/*/tasks/**/*.yml"), *ROOT.glob("roles/*/handlers/*.yml")])
PLAY_FILES = sorted([*PLAYBOOKS, *ROOT.glob("playbooks/tasks/*.yml")])


# --- Python: what decides, what talks -------------------------------------------------------------------------------


def imports(path: Path) -> set[str]:
    """Absolute names of what a file of module_utils imports; the collection's own as 'room/file.py' or 'file.py'."""
    here = path.relative_to(UTILS).parent.parts
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module or "")
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] + tuple((node.module or "").split(".") if node.module else ())
            inside = [(*base, alias.name) for alias in node.names]
            found.update(
                "/".join(parts if (UTILS.joinpath(*parts).with_suffix(".py")).is_file() else base) + ".py"
                for parts in inside
            )
    return found


UTIL_FILES = sorted(path for path in UTILS.rglob("*.py") if path.name != "__init__.py")
DECIDERS = [path for path in UTIL_FILES if path.relative_to(UTILS).as_posix() not in TALKERS]


@pytest.mark.parametrize("path", DECIDERS, ids=ident)
def test_what_decides_touches_nothing(path: Path) -> None:
    used = imports(path)
    assert not {name for name in used if name.split(".")[0] in SIDE_EFFECTS | {"ansible"}}
    assert not used & TALKERS, "a file that decides imports only its own kind"


def test_every_talker_is_there() -> None:
    assert [name for name in TALKERS if not (UTILS / name).is_file()] == []


@pytest.mark.parametrize("path", UTIL_FILES, ids=ident)
def test_imports_go_down(path: Path) -> None:
    room = path.relative_to(UTILS).parts[0]
    for name in imports(path):
        other = name.split("/")[0]
        if name.endswith(".py") and other != room and other in FLOORS:
            assert FLOORS.get(room, -1) > FLOORS[other], f"{name} does not lie under {room}"


@pytest.mark.parametrize("path", UTIL_FILES, ids=ident)
def test_ansible_stays_outside_module_utils(path: Path) -> None:
    assert not re.search(r"\b(AnsibleModule|ActionBase|fail_json|exit_json)\b", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", tree(".py"), ids=ident)
def test_python_carries_its_licence(path: Path) -> None:
    head = path.read_text(encoding="utf-8").splitlines()[:5]
    assert any(line.startswith("# GNU General Public License v3.0+") for line in head)
    assert "# SPDX-License-Identifier: GPL-3.0-or-later" in head


@pytest.mark.parametrize("path", sorted((ROOT / "plugins").rglob("*.py")), ids=ident)
def test_plugins_parse_on_the_oldest_python_of_the_nodes(path: Path) -> None:
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))


@pytest.mark.parametrize("path", sorted((ROOT / "plugins").rglob("*.py")), ids=ident)
def test_functions_are_short(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            size = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            assert size <= FUNCTION, f"{node.name} has {size} lines"


def code_lines(path: Path) -> int:
    """Lines of a plugin beside its documentation."""
    text = path.read_text(encoding="utf-8")
    documentation = re.findall(
        r'^(?:DOCUMENTATION|EXAMPLES|RETURN) = r?("""|\'\'\')(.*?)\1', text, re.MULTILINE | re.DOTALL
    )
    return len(text.splitlines()) - sum(body.count("\n") + 1 for _quote, body in documentation)


def sized() -> list[tuple[Path, int, int]]:
    """File, lines that count, limit."""
    rows = [(path, code_lines(path), MODULE_CODE) for path in MODULES]
    rows += [(path, code_lines(path), CALLBACK) for path in sorted((ROOT / "plugins" / "callback").glob("*.py"))]
    rows += [(path, lines(path), DECIDING_FILE) for path in UTIL_FILES]
    rows += [(path, lines(path), PLAYBOOK) for path in PLAYBOOKS]
    rows += [(path, lines(path), TASKS_MAIN if path.name == "main.yml" else TASKS_FILE) for path in TASK_FILES]
    rows += [(path, lines(path), DEFAULTS) for path in sorted(ROOT.glob("roles/*/defaults/main.yml"))]
    rows += [(path, lines(path), TEMPLATE) for path in sorted(ROOT.glob("roles/*/templates/**/*.j2"))]
    return rows


@pytest.mark.parametrize(("path", "size", "limit"), sized(), ids=ident)
def test_files_are_small(path: Path, size: int, limit: int) -> None:
    assert size <= limit


@pytest.mark.parametrize("path", DECIDERS, ids=ident)
def test_every_decision_is_tested(path: Path) -> None:
    inside = path.relative_to(ROOT)
    assert (ROOT / "tests" / "unit" / inside.parent / f"test_{path.name}").is_file() or path.name in UNTESTED


# Shapes without behaviour.
UNTESTED = {"arguments.py", "errors.py"}


# --- YAML: states, no decisions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*TASK_FILES, *PLAY_FILES], ids=ident)
def test_tasks_keep_the_house_rules(path: Path) -> None:
    found = list(tasks(load(path)))
    assert sum("block" not in task for task in found) <= TASKS_IN_FILE
    for task in found:
        assert task.get("name"), f"a task without a name: {task}"
        assert not {"ignore_errors", "until"} & set(task), (
            f"{task['name']}: errors are handled, waiting is a module's work"
        )
        if {"ansible.builtin.command", "ansible.builtin.shell"} & set(task):
            assert "changed_when" in task, f"{task['name']}: says whether it changed anything"


@pytest.mark.parametrize("path", [*TASK_FILES, *PLAY_FILES], ids=ident)
def test_only_collections_that_are_there(path: Path) -> None:
    allowed = {"ansible.builtin", "steadfast.ai_platform", *load(ROOT / "galaxy.yml")["dependencies"]}
    for task in tasks(load(path)):
        for key in task:
            assert key.count(".") < 2 or ".".join(key.split(".")[:2]) in allowed, f"{key} is not among the dependencies"


@pytest.mark.parametrize("path", [p for p in tree(".yml", ".j2") if p.is_relative_to(ROOT / "roles")], ids=ident)
def test_roles_take_hosts_as_variables(path: Path) -> None:
    assert not re.search(r"\b(groups|hostvars)\s*[\[.]", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("role", ROLES, ids=ident)
def test_roles_have_one_silhouette(role: Path) -> None:
    for name in ("README.md", "defaults/main.yml", "meta/argument_specs.yml", "tasks/main.yml"):
        assert (role / name).is_file(), f"{role.name} has no {name}"
    scenario = SCENARIO_OF.get(role.name, role.name)
    assert (ROOT / "molecule" / scenario / "molecule.yml").is_file(), f"{role.name} has no scenario"


# An agent proves nothing without whom it tells.
SCENARIO_OF = {"monitoring_agent": "monitoring"}


@pytest.mark.parametrize("role", ROLES, ids=ident)
def test_argument_specs_and_defaults_agree(role: Path) -> None:
    defaults = load(role / "defaults" / "main.yml") or {}
    options = load(role / "meta" / "argument_specs.yml")["argument_specs"]["main"].get("options", {})
    promised = {name: option["default"] for name, option in options.items() if "default" in option}
    assert promised == defaults
    assert {name for name in options if name not in defaults and not options[name].get("required")} == set()


def own_names(task: dict[str, Any]) -> Iterator[str]:
    """Names that a task of a role brings into the world."""
    if task.get("register"):
        yield task["register"]
    yield from (name for name in task.get("ansible.builtin.set_fact", {}) if name != "cacheable")
    yield from task.get("vars", {})
    if task.get("loop_control", {}).get("loop_var"):
        yield task["loop_control"]["loop_var"]


@pytest.mark.parametrize("role", ROLES, ids=ident)
def test_variables_say_whose_they_are(role: Path) -> None:
    assert not [name for name in load(role / "defaults" / "main.yml") or {} if not name.startswith(f"{role.name}_")]
    # One entry point may give another what that one declares as its option.
    specs = load(role / "meta" / "argument_specs.yml")["argument_specs"]
    inputs = {option for name, spec in specs.items() if name != "main" for option in spec["options"]}
    for path in [*role.glob("vars/*.yml"), *role.glob("tasks/**/*.yml"), *role.glob("handlers/*.yml")]:
        content = load(path)
        names = content if path.parent.name == "vars" else (name for task in tasks(content) for name in own_names(task))
        assert not [name for name in names if not name.startswith(f"__{role.name}_") and name not in inputs], path


# --- The tree and what is said about it -----------------------------------------------------------------------------


def readme_names(kind: str) -> set[str]:
    """First cells of the README's table whose first column is headed by this word, without markup and suffix."""
    found: set[str] = set()
    inside = False
    for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            inside = False
        elif cells[0].lower() == kind:
            inside = True
        elif inside and not set(cells[0]) <= set("-: "):
            found.add(re.sub(r"\[|\]\(.*?\)|`|\.yml", "", cells[0]))
    return found


@pytest.mark.parametrize(
    ("kind", "present"),
    [
        ("role", {path.name for path in ROLES}),
        ("module", {path.stem for path in MODULES}),
        ("playbook", {path.stem for path in PLAYBOOKS}),
    ],
)
def test_readme_tells_what_is_there(kind: str, present: set[str]) -> None:
    assert readme_names(kind) == present


def test_action_groups_hold_every_module() -> None:
    """A group is the first word of its modules' names: group/steadfast.ai_platform.haproxy sets the socket for all."""
    wanted: dict[str, list[str]] = {}
    for path in MODULES:
        wanted.setdefault(path.stem.split("_")[0], []).append(path.stem)
    assert load(ROOT / "meta" / "runtime.yml").get("action_groups") == wanted


@pytest.mark.parametrize("path", MODULES, ids=ident)
def test_info_modules_change_nothing(path: Path) -> None:
    """A module that reads is named so, and works in check mode."""
    if path.stem.endswith("_info"):
        text = path.read_text(encoding="utf-8")
        assert "supports_check_mode=True" in text
        assert "changed=True" not in text


@pytest.mark.parametrize("scenario", SCENARIOS, ids=ident)
def test_scenarios_verify_something(scenario: Path) -> None:
    """Molecule passes a scenario without tests, with a warning."""
    assert list((scenario / "tests").glob("test_*.py"))
    assert (scenario / "converge.yml").is_file()


def test_no_place_of_somebody_else() -> None:
    """Indexes, mirrors and registries are the machine's settings; paths of one machine are nobody's business."""
    texts = {path: path.read_bytes().decode("utf-8", "replace") for path in tree()}
    assert not [(ident(path), place) for path, text in texts.items() for place in FOREIGN_PLACES if place in text]


# --- Inventories ----------------------------------------------------------------------------------------------------


def groups(content: Any) -> dict[str, set[str]]:
    """Group name to the names of its children, over a whole inventory file."""
    found: dict[str, set[str]] = {}
    for name, group in (content or {}).items():
        children = (group or {}).get("children") or {}
        found.setdefault(name, set()).update(children)
        found.update(groups(children))
    return found


def variables(inventory: Path) -> dict[str, Any]:
    """Every variable a group or a host is given, but what only says how to reach the hosts or belongs to the lab."""
    found: dict[str, Any] = {}
    for path in [*inventory.glob("group_vars/**/*.yml"), *inventory.glob("host_vars/**/*.yml")]:
        found.update(load(path) or {})
    for group in walk(load(inventory / "hosts.yml")):
        found.update(group.get("vars") or {})
        for host in (group.get("hosts") or {}).values():
            found.update(host or {})
    return {name: value for name, value in found.items() if not name.startswith(("lab_", "ansible_", "vault_"))}


def walk(content: Any) -> Iterator[dict[str, Any]]:
    """Every group of an inventory file."""
    for group in (content or {}).values():
        yield group or {}
        yield from walk((group or {}).get("children"))


LAB, PRODUCTION = ROOT / "inventories" / "lab", ROOT / "inventories" / "production"


def test_inventories_have_the_same_groups_and_keys() -> None:
    assert groups(load(LAB / "hosts.yml")) == groups(load(PRODUCTION / "hosts.yml"))
    assert set(variables(LAB)) == set(variables(PRODUCTION))


def test_production_holds_no_secret() -> None:
    for name, value in variables(PRODUCTION).items():
        if re.search(r"password|secret|token|api_key", name):
            assert not value or "vault_" in str(value), f"{name} belongs into a vault"
