#!/bin/sh
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# track_pools.sh PORT SECONDS PEER...: fails when no pool has a server at this balancer and one has at a peer. Where nobody
# has one, clients get their 503 from whoever holds the virtual IP: to give it away would help nobody.

port=$1 seconds=$2
shift 2

serves() {
    curl --silent --fail --noproxy '*' --output /dev/null --max-time "$seconds" "http://$1:$port/pools"
}

serves 127.0.0.1 && exit 0
for peer; do
    serves "$peer" && exit 1
done
exit 0
