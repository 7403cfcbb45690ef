# Lets nobody in any more, ends what runs, and keeps the files.
alone
unit=$(unit_of "$instance")
if [ -z "$unit" ]; then exit 0; fi
about "$unit"
is_ours || fail "the user $user is gone"
numbers
rm -f "$mark/started"
lock_user
if [ "$forced" = no ]; then ask_processes; fi
end_processes
apply_limits "$user"
remove_keys
