-- Rents another server in each request. Arguments: tokens file, first server, threads.
require "figures"

local threads = 0
function setup(thread)
   thread:set("number", threads)
   threads = threads + 1
end

function init(arguments)
   tokens = {}
   for line in io.lines(arguments[1]) do tokens[#tokens + 1] = line end
   step = tonumber(arguments[3])
   server = tonumber(arguments[2]) + number
   math.randomseed(server)
end

function request()
   server = server + step
   local path = string.format("/api/v1/servers/%012x000000000000/rent", server)
   local headers = {
      ["Authorization"] = "Bearer " .. tokens[math.random(#tokens)],
      ["Idempotency-Key"] = "bench-" .. server,
      ["Content-Type"] = "application/json",
   }
   return wrk.format("POST", path, headers, '{"rental_days":7}')
end
