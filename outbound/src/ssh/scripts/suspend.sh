# Lets the renter in no more, ends what they run, and keeps their files.
alone
about renter
if [ "$(cat "$mark/rental" 2>/dev/null)" != "$rental" ] || ! is_ours; then exit 0; fi
numbers
lock_user
rm -f "$sudoers"
end_processes
remove_keys
