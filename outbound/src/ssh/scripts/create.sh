# Gives a unit, which is empty, to an instance.
alone
about "$unit"
[ -s "$mark/uid" ] && is_ours || refuse "there is no unit $user on the host"
holder=$(cat "$mark/instance" 2>/dev/null) || true
if [ "$holder" = "$instance" ]; then exit 0; fi
[ -z "$holder" ] || fail "the unit $user still has the instance $holder"
other=$(unit_of "$instance")
[ -z "$other" ] || fail "the instance has the unit $other"
numbers
rm -f "$mark/started"
wipe_user
make_folders
apply_limits "$user"
write_file "$mark/instance" "$instance"
