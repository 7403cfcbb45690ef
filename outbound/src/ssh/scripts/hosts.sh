# What a host has for holding units to their share, and what it lacks.

missing_programs() {
  for program in awk cat chmod chown cut df find flock getent grep groupdel head id ipcrm mkdir mv \
    pgrep pkill rm sed setpriv sleep stat tac timeout tr umount useradd userdel usermod; do
    command -v "$program" >/dev/null || printf '%s ' "$program"
  done
}

# systemd confines CPUs with version 2 alone; where both are mounted, files of version 1 do.
find_limits() {
  if [ -d /run/systemd/system ] && [ -e "$groups/cgroup.controllers" ]; then
    echo systemd
  elif has_controllers; then
    echo control_groups_2
  elif [ -w "$groups/cpuset/cgroup.procs" ] && [ -w "$groups/memory/cgroup.procs" ] \
    && [ -w "$groups/pids/cgroup.procs" ]; then
    echo control_groups_1
  else
    echo nothing
  fi
}

has_controllers() {
  [ -w "$groups/cgroup.subtree_control" ] || return 1
  for name in cpuset memory pids; do
    grep -qw "$name" "$groups/cgroup.controllers" || return 1
  done
}

check_limits() {
  if [ "$1" = nothing ]; then
    [ "$requires_limits" = no ] \
      || refuse "the host has neither systemd nor control groups that hold units to their share"
    return 0
  fi
  server=$(command -v sshd || echo /usr/sbin/sshd)
  "$server" -T -C user=root,host=localhost,addr=127.0.0.1 2>/dev/null | grep -qix 'usepam yes' \
    || refuse "the SSH server needs UsePAM yes, or sessions escape the limits of their unit"
  [ -f "$pam" ] || refuse "there is no $pam, by which sessions are held to their unit"
}

# Before the last line, so that taking it out again leaves every byte as it was.
add_hook() {
  target=$(readlink -f "$pam")
  if grep -qxF "$hook" "$target"; then return 0; fi
  remove_hook
  cp -p "$target" "$target.berth"
  sed "\$i $hook" "$target" >"$target.berth"
  mv -f "$target.berth" "$target"
}

remove_hook() {
  target=$(readlink -f "$pam" || true)
  [ -n "$target" ] && [ -f "$target" ] || return 0
  rm -f "$target.berth"
  grep -q ' # berth$' "$target" || return 0
  cp -p "$target" "$target.berth"
  sed '/ # berth$/d' "$target" >"$target.berth"
  mv -f "$target.berth" "$target"
}

# The copies that the tools for users keep beside their files name units long after these are gone.
note_backups() {
  [ ! -e "$state/backups" ] || return 0
  write_file "$state/backups" "$(for name in $accounts; do
    if [ -e "/etc/$name-" ]; then printf '%s ' "$name"; fi
  done)"
}

restore_backups() {
  [ -e "$state/backups" ] || return 0
  for name in $accounts; do
    if [ ! -e "/etc/$name-" ]; then
      continue
    elif grep -qw "$name" "$state/backups"; then
      cp -p "/etc/$name" "/etc/$name-.new"
      mv -f "/etc/$name-.new" "/etc/$name-"
    else
      rm -f "/etc/$name-"
    fi
  done
}
