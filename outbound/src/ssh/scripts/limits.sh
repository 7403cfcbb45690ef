# What holds a unit's processes to its share. The steps have these functions, and so has the script
# that the host runs at every log-in; after a restart of the host, that one makes the groups anew.
state=/var/lib/berth
units=$state/units
groups=/sys/fs/cgroup

limits_kind() {
  cat "$state/limits" 2>/dev/null || true
}

# planned UNIT NAME: what the unit's plan says.
planned() {
  sed -n "s/^$2=//p" "$units/$1/plan"
}

# unit_groups UNIT: the folders of its control groups.
unit_groups() {
  case $(limits_kind) in
    control_groups_1)
      printf '%s\n' "$groups/cpuset/berth/$1" "$groups/memory/berth/$1" "$groups/pids/berth/$1"
      ;;
    control_groups_2) printf '%s\n' "$groups/berth/$1" ;;
  esac
}

apply_limits() {
  [ -s "$units/$1/plan" ] || return 0
  case $(limits_kind) in
    control_groups_1) apply_groups_1 "$1" ;;
    control_groups_2) apply_groups_2 "$1" ;;
    systemd) apply_slice "$1" ;;
  esac
}

# A group of version 1 has no CPUs before it is given some, and only such as its parent has.
apply_groups_1() {
  mkdir -p "$groups/cpuset/berth" "$groups/memory/berth/$1" "$groups/pids/berth/$1"
  for part in cpus mems; do
    cat "$groups/cpuset/cpuset.$part" >"$groups/cpuset/berth/cpuset.$part"
  done
  mkdir -p "$groups/cpuset/berth/$1"
  cat "$groups/cpuset/berth/cpuset.mems" >"$groups/cpuset/berth/$1/cpuset.mems"
  planned "$1" cpus >"$groups/cpuset/berth/$1/cpuset.cpus"
  planned "$1" tasks >"$groups/pids/berth/$1/pids.max"
  bytes=$(($(planned "$1" ram_mib) * 1048576))
  memory=$groups/memory/berth/$1
  # Memory with swap is never below memory alone, so a greater limit is refused at first.
  echo "$bytes" 2>/dev/null >"$memory/memory.limit_in_bytes" || true
  if [ -e "$memory/memory.memsw.limit_in_bytes" ]; then
    echo "$bytes" >"$memory/memory.memsw.limit_in_bytes"
  fi
  echo "$bytes" >"$memory/memory.limit_in_bytes"
}

apply_groups_2() {
  mkdir -p "$groups/berth"
  for folder in "$groups" "$groups/berth"; do
    echo '+cpuset +memory +pids' >"$folder/cgroup.subtree_control"
  done
  group=$groups/berth/$1
  mkdir -p "$group"
  planned "$1" cpus >"$group/cpuset.cpus"
  planned "$1" tasks >"$group/pids.max"
  echo "$(($(planned "$1" ram_mib) * 1048576))" >"$group/memory.max"
  if [ -e "$group/memory.swap.max" ]; then echo 0 >"$group/memory.swap.max"; fi
}

slice_folder() {
  printf '%s' "/etc/systemd/system/user-$(cat "$units/$1/uid").slice.d"
}

apply_slice() {
  folder=$(slice_folder "$1")
  mkdir -p "$folder"
  chmod 0755 "$folder"
  {
    printf '[Slice]\nAllowedCPUs=%s\n' "$(planned "$1" cpus)"
    printf 'MemoryMax=%sM\nMemorySwapMax=0\n' "$(planned "$1" ram_mib)"
    printf 'TasksMax=%s\n' "$(planned "$1" tasks)"
  } >"$folder/.50-berth.new"
  chmod 0644 "$folder/.50-berth.new"
  mv -f "$folder/.50-berth.new" "$folder/50-berth.conf"
  systemctl daemon-reload
}

# enter_limits UNIT PROCESS
enter_limits() {
  for group in $(unit_groups "$1"); do
    echo "$2" >"$group/cgroup.procs"
  done
}

# Without room for another task, what respawns cannot outrun who ends it.
hold_tasks() {
  for group in $(unit_groups "$1"); do
    if [ -e "$group/pids.max" ]; then echo 0 >"$group/pids.max"; fi
  done
}

group_members() {
  for group in $(unit_groups "$1"); do
    cat "$group/cgroup.procs" 2>/dev/null || true
  done
}

remove_limits() {
  for group in $(unit_groups "$1"); do
    tries=0
    # What has just ended leaves its group a moment later.
    while [ -d "$group" ] && ! rmdir "$group" 2>/dev/null; do
      tries=$((tries + 1))
      [ "$tries" -lt 50 ] || return 1
      sleep 0.1
    done
  done
  if [ "$(limits_kind)" = systemd ] && [ -s "$units/$1/uid" ]; then
    folder=$(slice_folder "$1")
    rm -f "$folder/50-berth.conf" "$folder/.50-berth.new"
    if [ -d "$folder" ]; then rmdir "$folder" 2>/dev/null || true; fi
    systemctl daemon-reload
  fi
}
