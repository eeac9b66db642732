-- GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later
--
-- `steadfast drain|maint|ready <backend> <server>` on HAProxy's sockets.
-- A worker left behind by a reload refuses `set server` ("Proxy is disabled.", HAProxy 2.6 and 3.0), yet clients that keep
-- their connection to it can send new requests. This sets the same admin state there. Says nothing when it succeeds.

local function register(state, method)
  core.register_cli({"steadfast", state}, "steadfast " .. state .. " <backend> <server>", function(applet, _, _, backend, server)
    local found = core.backends[backend]
    if not found then
      applet:send("No such backend.\n")
    elseif not found.servers[server] then
      applet:send("No such server.\n")
    else
      found.servers[server][method](found.servers[server])
    end
  end)
end

register("drain", "set_drain")
register("maint", "set_maint")
register("ready", "set_ready")
