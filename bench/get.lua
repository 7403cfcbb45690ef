-- The same GET again and again.
require "figures"
