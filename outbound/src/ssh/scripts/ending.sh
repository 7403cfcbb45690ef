# How a user's processes and files end. The user controls what is seen here, so nothing follows a
# link, nothing is read as a list of words, and nothing is trusted to be small.

has_processes() {
  for pid in $(pgrep -U "$uid" || true) $(pgrep -u "$uid" || true) $(members); do
    condition=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$pid/status" 2>/dev/null) || true
    # What is dead and not yet taken note of does nothing any more.
    case $condition in '' | Z | X) ;; *) return 0 ;; esac
  done
  return 1
}

members() {
  if [ "$user" != renter ]; then group_members "$user"; fi
}

# Everything at once, by the kernel, so that nothing can fork away from it.
kill_all() {
  (
    exec 9>&- >/dev/null 2>&1 </dev/null
    exec setpriv --reuid "$uid" --regid "$gid" --clear-groups --no-new-privs \
      sh -c 'if [ "$(id -u)" = "$1" ]; then kill -s KILL -- -1; fi' sh "$uid"
  ) || true
  pkill -KILL -U "$uid" || true
  pkill -KILL -u "$uid" || true
  for pid in $(members); do kill -KILL "$pid" 2>/dev/null || true; done
}

ask_processes() {
  pkill -TERM -U "$uid" || return 0
  tries=0
  while has_processes && [ "$tries" -lt 50 ]; do
    tries=$((tries + 1))
    sleep 0.1
  done
}

end_processes() {
  if [ -d /run/systemd/system ]; then
    loginctl disable-linger "$user" 2>/dev/null || true
    loginctl terminate-user "$user" 2>/dev/null || true
    systemctl kill -s KILL "user-$uid.slice" 2>/dev/null || true
  fi
  rm -f "/var/lib/systemd/linger/$user"
  if [ "$user" != renter ]; then hold_tasks "$user"; fi
  tries=0
  while has_processes; do
    tries=$((tries + 1))
    [ "$tries" -le 100 ] || fail "processes of $user do not end"
    kill_all
    sleep 0.1
  done
  end_session
}

# What systemd has for the user's sessions ends with them: its helpers were killed, too, and would
# count as failed for as long as the host runs.
end_session() {
  [ -d /run/systemd/system ] || return 0
  set -- "user@$uid.service" "user-runtime-dir@$uid.service"
  timeout -k 1 10 systemctl stop "$@" 2>/dev/null || true
  systemctl reset-failed "$@" 2>/dev/null || true
}

# unmount_below FOLDER: what the user mounted there, the newest first. Spaces and the like stand as
# octal numbers in the list.
unmount_below() {
  tac /proc/self/mountinfo | cut -d' ' -f5 | while IFS= read -r point; do
    case $point in
      "$1" | "$1"/*)
        path=$(printf "$(printf '%s' "$point" | sed 's/%/%%/g')x")
        umount -l "${path%x}" || true
        ;;
    esac
  done
}

remove_folders() {
  for place in $places "/run/user"; do
    folder=$place/$user
    if [ "$place" = /run/user ]; then folder=/run/user/$uid; fi
    unmount_below "$folder"
    rm -rf --one-file-system -- "$folder"
  done
}

# Where anybody may put files, and where files are put for anybody who asks.
sweep_files() {
  jobs=/var/spool/cron
  rm -rf -- "$jobs/crontabs/$user" "$jobs/tabs/$user" "$jobs/$user" "/var/mail/$user" \
    "/var/spool/mail/$user"
  set --
  for folder in /tmp /var/tmp /dev/shm /dev/mqueue /run/lock /run/screen /var/crash \
    /var/spool/cron /var/spool/at; do
    if [ -d "$folder" ]; then set -- "$@" "$folder"; fi
  done
  find "$@" -mindepth 1 -xdev -depth -uid "$uid" -delete 2>/dev/null || true
  left=$(find "$@" -mindepth 1 -xdev -uid "$uid" -print -quit 2>/dev/null) || true
  [ -n "$left" ] || return 0
  # A folder with files of others in it stays theirs; it must only not be the next user's.
  find "$@" -mindepth 1 -xdev -depth -uid "$uid" -execdir chown -h 0:0 -- {} + || true
  left=$(find "$@" -mindepth 1 -xdev -uid "$uid" -print -quit 2>/dev/null) || true
  [ -z "$left" ] || fail "files of $user stay outside of its folders"
}

# Memory, semaphores and queues of System V, by the columns that each list names.
sweep_ipc() {
  for kind in shm:shmid:-m sem:semid:-s msg:msqid:-q; do
    list=/proc/sysvipc/${kind%%:*}
    [ -r "$list" ] || continue
    column=${kind#*:}
    option=${column#*:}
    column=${column%:*}
    awk -v uid="$uid" -v id="$column" '
      NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
      $(at["uid"]) == uid || $(at["cuid"]) == uid { print $(at[id]) }' "$list" \
      | while read -r number; do ipcrm "$option" "$number" || true; done
  done
}

# Nobody is in, nobody can come in, and nothing is left. Asked again, it finds less to do.
wipe_user() {
  if has_user; then
    is_ours || refuse "the user $user is one that Berth did not make"
    lock_user
  fi
  end_processes
  sweep_files
  remove_folders
  sweep_ipc
  # What a list of jobs had started before it was removed.
  end_processes
  sweep_files
}

# dissolve: the user is gone, and so is all that it had. The mark goes last.
dissolve() {
  if [ -s "$mark/uid" ]; then
    numbers
    if has_user && ! is_ours; then refuse "the user $user is one that Berth did not make"; fi
    wipe_user
  fi
  if [ "$user" != renter ]; then
    remove_limits "$user"
    allow_jobs
  fi
  remove_user
  rm -rf -- "$told/$user" "$told/$user.new" "$mark"
}

# unit_of INSTANCE: the unit that an instance has, if it has one.
unit_of() {
  for file in "$units"/*/instance; do
    if [ -s "$file" ] && [ "$(cat "$file")" = "$1" ]; then
      basename "$(dirname "$file")"
      return 0
    fi
  done
}
