-- Orders an instance in each request, as one renter after the other. Arguments: tokens file, plan,
-- location.
require "figures"

function init(arguments)
   tokens = {}
   for line in io.lines(arguments[1]) do tokens[#tokens + 1] = line end
   body = string.format(
      '{"plan":"%s","image":"box","location":"%s","hostname":"star"}', arguments[2], arguments[3])
   number = math.random(#tokens)
end

function request()
   number = number % #tokens + 1
   local headers = {
      ["Authorization"] = "Bearer " .. tokens[number],
      ["Content-Type"] = "application/json",
   }
   return wrk.format("POST", "/api/v1/instances", headers, body)
end
