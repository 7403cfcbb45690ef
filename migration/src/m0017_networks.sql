-- The network that brings the addresses of any of its hosts to any other of them.
ALTER TABLE capacities ADD COLUMN network {text};
