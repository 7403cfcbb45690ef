# Lets the holders of these keys, and nobody else, in as a renter who may become root.
alone
[ -d /etc/sudoers.d ] && command -v sudo >/dev/null || refuse "the host lacks sudo"
[ ! -L "$state" ] || refuse "$state is not a folder of root's"
mkdir -p "$state"
chmod 0700 "$state"
note_backups
about renter
holder=$(cat "$mark/rental" 2>/dev/null) || true
[ -z "$holder" ] || [ "$holder" = "$rental" ] || fail "the host still has the rental $holder"
make_user
numbers
write_file "$mark/rental" "$rental"
make_folders
# A name with a dot is one that sudo does not read.
printf '%s ALL=(ALL:ALL) NOPASSWD: ALL\n' "$user" >"$sudoers.new"
chmod 0440 "$sudoers.new"
if command -v visudo >/dev/null; then
  visudo -c -q -f "$sudoers.new" || refuse "this sudo does not take what makes a renter root"
fi
mv -f "$sudoers.new" "$sudoers"
install_keys "$keys"
unlock_user
