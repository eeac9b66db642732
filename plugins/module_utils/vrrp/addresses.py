# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the kernel's address list (`ip -json address show`). Pure."""

from __future__ import annotations

import ipaddress
import json

from ..errors import Refused, Unreadable


def interface_of(address: str, listing: str) -> str | None:
    """Name of the interface that has the address; None when none has.

    Raises Refused when it is no IP address, Unreadable when the listing is not what `ip` prints.
    """
    try:
        wanted = ipaddress.ip_address(address)
    except ValueError as error:
        raise Refused("{0!r} is not an IP address".format(address)) from error
    try:
        for link in json.loads(listing):
            for entry in link.get("addr_info", []):
                if "local" in entry and ipaddress.ip_address(entry["local"]) == wanted:
                    return str(link["ifname"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable("the list of addresses was not understood: {0}".format(error), seen=listing[:200]) from error
    return None
