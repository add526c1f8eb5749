-- Copyright (c) the edge.gateway contributors
-- GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later
-- Ask for hosts in turn and tell what came of it as JSON: wrk -s turn.lua URL -- HOST...

local requests, turn = {}, 0

function init(hosts)
  for number, host in ipairs(hosts) do
    requests[number] = wrk.format("GET", "/", {["Host"] = host})
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('\n{"requests": %d, "seconds": %f, "bad": %d, "p50_us": %d, "bytes": %d}\n', summary.requests,
    summary.duration / 1e6, errors.connect + errors.read + errors.write + errors.timeout + errors.status,
    latency:percentile(50), summary.bytes))
end
