-- The same page of a marketplace again and again. Arguments: API key.
require "figures"

function init(arguments)
   page = wrk.format("GET", nil, { ["X-AUTH-TOKEN"] = arguments[1] })
end

function request()
   return page
end
