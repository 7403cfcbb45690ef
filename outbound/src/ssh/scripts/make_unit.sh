# Makes a unit that nobody can log in to, or gives it other limits.
alone
[ -s "$state/limits" ] || fail "the host is not prepared"
about "$unit"
make_user
numbers
deny_jobs
make_folders
write_file "$mark/plan" "cpus=$cpus
ram_mib=$ram_mib
tasks=$tasks
ports=$ports"
apply_limits "$user"
# For the unit's sessions: what is theirs.
write_file "$told/$user" "BERTH_CPUS=$cpus
BERTH_RAM_MIB=$ram_mib
BERTH_TASKS=$tasks
BERTH_PORTS=$ports"
chown "0:$gid" "$told/$user"
chmod 0640 "$told/$user"
