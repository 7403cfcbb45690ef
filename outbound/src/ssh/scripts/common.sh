# What every step shares. The values of the step stand before this.
LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
umask 077

told=/etc/berth
pam=/etc/pam.d/sshd
hook='session required pam_exec.so quiet /bin/sh -c'
hook="$hook [test ! -x $state/session || exec $state/session] # berth"
accounts='passwd shadow group gshadow subuid subgid'

refuse() {
  printf '%s\n' "$1" >&2
  exit 77
}

fail() {
  printf '%s\n' "$1" >&2
  exit 1
}

# One step at a time. All that a step starts holds this too, so that the rest of one whose
# connection was lost is waited for. The folder is always there: nothing of Berth's may stay.
alone() {
  exec 9</var/lib
  flock -w "$lock_seconds" 9 || fail "another step still works on this host"
}

# write_file PATH TEXT: whole or not at all.
write_file() {
  printf '%s\n' "$2" >"$1.new"
  mv -f "$1.new" "$1"
}

# about USER: what the functions below work on. A unit is marked by a folder, and so is the renter.
about() {
  user=$1
  mark=$units/$user
  comment='Berth compute unit'
  places='/home /opt /mnt'
  if [ "$user" = renter ]; then
    mark=$state/renter
    comment='Berth renter'
    places='/home'
  fi
}

has_user() {
  getent passwd "$user" >/dev/null
}

# Whether we made the user: it has the number that we noted, or as long as we had noted none, the
# comment that we gave it.
is_ours() {
  entry=$(getent passwd "$user") || return 1
  [ -d "$mark" ] || return 1
  if [ -s "$mark/uid" ]; then
    [ "$(printf '%s\n' "$entry" | cut -d: -f3)" = "$(cat "$mark/uid")" ]
  else
    [ "$(printf '%s\n' "$entry" | cut -d: -f5)" = "$comment" ]
  fi
}

# Sets uid and gid; root's are never those of a unit.
numbers() {
  uid=$(cat "$mark/uid")
  case $uid in '' | 0 | *[!0-9]*) fail "the mark of $user is broken" ;; esac
  gid=$uid
  if has_user; then gid=$(id -g "$user"); fi
}

# Makes the user, or finishes that. The mark comes first: a user of this name without it is somebody
# else's, and so are folders.
make_user() {
  if [ ! -d "$mark" ]; then
    if has_user || getent group "$user" >/dev/null; then
      refuse "there is a user or group $user that Berth did not make"
    fi
    for place in $places; do
      if [ -e "$place/$user" ] || [ -L "$place/$user" ]; then
        refuse "there is a $place/$user that Berth did not make"
      fi
    done
    mkdir "$mark"
  fi
  if has_user; then
    is_ours || refuse "the user $user is one that Berth did not make"
    [ ! -s "$mark/uid" ] || return 0
  fi
  remove_user
  shell=/bin/sh
  if [ -x /bin/bash ]; then shell=/bin/bash; fi
  # Without numbers of other users to give away, all that the user ever has is found by its own.
  useradd -M -U -c "$comment" -d "/home/$user" -s "$shell" -p '!*' -e 1970-01-02 \
    -K SUB_UID_COUNT=0 -K SUB_GID_COUNT=0 "$user"
  write_file "$mark/uid" "$(id -u "$user")"
}

remove_user() {
  if has_user; then
    is_ours || refuse "the user $user is one that Berth did not make"
    userdel "$user"
  fi
  if getent group "$user" >/dev/null; then groupdel "$user"; fi
  # What was killed between two files left lines in the others; made whole, they can be removed. The
  # number may be another one then, so it is our comment by which the user is known.
  if grep -qs "^$user:" /etc/shadow /etc/gshadow /etc/subuid /etc/subgid; then
    rm -f "$mark/uid"
    useradd -M -U -c "$comment" "$user"
    userdel "$user"
    if getent group "$user" >/dev/null; then groupdel "$user"; fi
  fi
}

# Keys out alone would leave those that the user brought; an account that has expired lets nobody
# in.
lock_user() {
  usermod -L -e 1970-01-02 "$user"
}

unlock_user() {
  usermod -p '*' -e '' "$user"
}

# Jobs that cron and at start are in no session, so that no limit of a unit would hold them.
deny_jobs() {
  for list in /etc/cron.deny /etc/at.deny; do
    if grep -qsx "$user" "$list"; then continue; fi
    if [ -e "$list" ]; then
      cp -p "$list" "$list.berth"
    else
      write_file "$state/made-$(basename "$list")" yes
      : >"$list.berth"
      chmod 0644 "$list.berth"
    fi
    # In front, so that a last line without an end stays as it is.
    { echo "$user"; cat "$list" 2>/dev/null || true; } >"$list.berth"
    mv -f "$list.berth" "$list"
  done
}

allow_jobs() {
  for list in /etc/cron.deny /etc/at.deny; do
    rm -f "$list.berth"
    if grep -qsx "$user" "$list"; then
      cp -p "$list" "$list.berth"
      sed "/^$user\$/d" "$list" >"$list.berth"
      mv -f "$list.berth" "$list"
    fi
    if [ -e "$state/made-$(basename "$list")" ] && [ -e "$list" ] && [ ! -s "$list" ]; then
      rm -f "$list"
    fi
  done
}

# The user's folders, in places that are root's, so that nobody puts a link there meanwhile.
make_folders() {
  for place in $places; do
    if [ ! -d "$place" ]; then mkdir -m 0755 "$place"; fi
    if [ -L "$place/$user" ] || [ ! -d "$place/$user" ]; then
      rm -f "$place/$user"
      mkdir -m 0700 "$place/$user"
    fi
    chown -h "$uid:$gid" "$place/$user"
    chmod 0750 "$place/$user"
  done
}

# as_user CODE: runs what works on files that the user controls. It has the user's rights and is
# within the user's limits, so that a process of theirs that gets hold of it gains nothing.
as_user() {
  (
    exec 9>&-
    cd /
    HOME=/home/$user
    export HOME
    exec sh -c 'for group in $1; do echo $$ >"$group/cgroup.procs"; done; shift; exec "$@"' sh \
      "$(if [ "$user" != renter ]; then unit_groups "$user"; fi)" \
      timeout -k 1 15 setpriv --reuid "$uid" --regid "$gid" --clear-groups --no-new-privs \
      sh -euc "$1"
  )
}

# install_keys LINES: exactly these, whatever the user made of the places where they belong.
install_keys() {
  printf '%s\n' "$1" | as_user '
    umask 077
    cd "$HOME"
    if [ -L .ssh ] || [ ! -d .ssh ]; then
      rm -rf .ssh
      mkdir .ssh
    fi
    chmod 0700 .ssh
    rm -rf .ssh/.berth .ssh/authorized_keys2
    cat >.ssh/.berth
    rm -rf .ssh/authorized_keys
    mv .ssh/.berth .ssh/authorized_keys'
}

remove_keys() {
  as_user '
    cd "$HOME"
    if [ ! -L .ssh ] && [ -d .ssh ]; then
      chmod 0700 .ssh
      rm -rf .ssh/authorized_keys .ssh/authorized_keys2 .ssh/.berth
    fi' </dev/null
}

installed_keys() {
  as_user '
    cd "$HOME"
    [ -f .ssh/authorized_keys ] && head -c 65536 .ssh/authorized_keys' </dev/null || true
}
