# Removes the renter, and what is theirs by its owner. What they did as root, nobody knows.
alone
about renter
holder=$(cat "$mark/rental" 2>/dev/null) || true
if [ -n "$holder" ] && [ "$holder" != "$rental" ]; then exit 0; fi
rm -f "$sudoers" "$sudoers.new"
if [ -d "$mark" ]; then dissolve; fi
if [ -d "$units" ]; then exit 0; fi
restore_backups
rm -rf "$state"
