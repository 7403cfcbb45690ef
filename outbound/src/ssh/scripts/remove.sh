# Takes a unit from an instance and leaves it empty. The instance's mark goes last.
alone
unit=$(unit_of "$instance")
if [ -z "$unit" ]; then exit 0; fi
about "$unit"
numbers
rm -f "$mark/started"
wipe_user
if has_user; then
  make_folders
  apply_limits "$user"
fi
rm -f "$mark/instance"
