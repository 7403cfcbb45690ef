-- The same list again and again. Arguments: token, query.
require "figures"

function init(arguments)
   local headers = { ["Authorization"] = "Bearer " .. arguments[1] }
   list = wrk.format("GET", "/api/v1/instances" .. (arguments[2] or ""), headers)
end

function request()
   return list
end
