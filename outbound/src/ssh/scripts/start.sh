# Lets the holders of these keys in.
alone
about "$unit"
[ -s "$mark/uid" ] && is_ours || refuse "there is no unit $user on the host"
holder=$(cat "$mark/instance" 2>/dev/null) || true
[ "$holder" = "$instance" ] || fail "the unit $user has another instance"
numbers
make_folders
apply_limits "$user"
install_keys "$keys"
unlock_user
if [ "$(limits_kind)" = systemd ]; then loginctl enable-linger "$user"; fi
write_file "$mark/started" yes
