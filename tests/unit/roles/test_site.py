# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status site's files: nothing from elsewhere, nothing that its policy forbids, and vendored files unchanged."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import jinja2
import pytest

ROLE = Path(__file__).resolve().parents[3] / "roles" / "monitoring"
SITE = ROLE / "files" / "site"
OURS = sorted(path for path in SITE.iterdir() if path.suffix in (".html", ".js", ".css"))
SCRIPTS = [path for path in OURS if path.suffix == ".js"]
VENDORED = dict(re.findall(r"^\| `(\S+)` \|.*\| `([0-9a-f]{64})` \|$", (SITE / "vendor/README.md").read_text(), re.M))


def test_what_is_vendored_is_what_it_was():
    there = {path.name for path in (SITE / "vendor").iterdir()} - {"README.md", "LICENSE"}
    assert there == set(VENDORED)
    for name, digest in VENDORED.items():
        assert hashlib.sha256((SITE / "vendor" / name).read_bytes()).hexdigest() == digest
    assert "1.6.32" in (SITE / "vendor" / "uPlot.iife.min.js").read_text()[:200]


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_nothing_comes_from_elsewhere(path):
    text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"(https?:)?//[\w.-]+\.\w|@import|url\(", text)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_text_stays_text(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function|srcdoc", text)


def test_the_page_has_no_script_or_style_of_its_own():
    page = (SITE / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|style=|\son\w+=|javascript:", page)
    assert all(re.search(r'src="[\w./]+"', tag) for tag in re.findall(r"<script[^>]*>", page))
    for name in re.findall(r'(?:src|href)="([^"#]+)"', page):
        assert (SITE / name).is_file(), name


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_every_import_is_there(path):
    text = path.read_text(encoding="utf-8")
    for names, name in re.findall(r'^import \{([^}]+)\} from "\./(\w+\.js)";$', text, re.M):
        exported = (SITE / name).read_text(encoding="utf-8")
        for each in names.split(","):
            assert re.search(rf"^export .*\b{each.strip()}\b", exported, re.M), f"{name} has no {each.strip()}"


def configuration(**given):
    """nginx's configuration, with variables as the role has them."""
    variables = {
        "ansible_managed": "managed",
        "__monitoring_me": "192.0.2.1",
        "__monitoring_others": ["192.0.2.2"],
        "__monitoring_ports": {"prometheus": 9090},
        "__monitoring_scheme": "http",
        "__monitoring_folder": "/etc/prometheus",
        "__monitoring_site_folder": "/srv/site",
        "monitoring_tls": {},
        "monitoring_site_users": {},
        "monitoring_user": "",
        "monitoring_password": "",
        "monitoring_site_address": "192.0.2.1",
        "monitoring_site_port": 8090,
    }
    world = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701
    world.filters.update(
        comment=lambda text: f"# {text}", b64encode=lambda text: base64.b64encode(text.encode()).decode()
    )
    template = (ROLE / "templates" / "site.nginx.conf.j2").read_text(encoding="utf-8")
    return world.from_string(template).render({**variables, **given})


def test_both_servers_are_asked_its_own_first():
    text = configuration(__monitoring_others=["192.0.2.2", "2001:db8::3"])
    servers = re.findall(r"^    server (\S+) max_fails=\d(?: fail_timeout=5s| (backup));$", text, re.M)
    assert servers == [("192.0.2.1:9090", ""), ("192.0.2.2:9090", "backup"), ("[2001:db8::3]:9090", "backup")]
    assert "    listen 192.0.2.1:8090;" in text
    assert "auth_basic_user_file" not in text
    assert 'Authorization "";' in text


def test_passwords_and_certificates_are_used_where_they_are_given():
    text = configuration(
        monitoring_tls={"server_name": "monitor"},
        __monitoring_scheme="https",
        monitoring_site_users={"reader": "$2y$"},
        monitoring_user="m",
        monitoring_password="p",  # noqa: S106
        monitoring_site_address="",
    )
    assert "    listen 8090 ssl;" in text
    assert "auth_basic_user_file /etc/nginx/steadfast.htpasswd;" in text
    assert 'Authorization "Basic bTpw";' in text
    assert "proxy_ssl_verify on;" in text
    assert "proxy_ssl_name monitor;" in text
    assert "$2y$" not in text


def test_only_what_reads_is_passed_on():
    (pattern,) = re.findall(r"location ~ (\S+) \{", configuration())
    reads = ["query", "query_range", "alerts", "rules", "series", "labels", "label/pool/values"]
    assert [name for name in reads if not re.search(pattern, f"/api/v1/{name}")] == []
    others = ["admin/tsdb/delete_series", "write", "read", "status/config", "targets", "query/x", "label/../values"]
    assert [name for name in others if re.search(pattern, f"/api/v1/{name}")] == []
