# Looks, and changes nothing.
[ "$(uname -s)" = Linux ] || refuse "the host runs $(uname -s), not Linux"
lacking=$(missing_programs)
[ -z "$lacking" ] || refuse "the host lacks these programs: $lacking"
limits=$(find_limits)
check_limits "$limits"

system=$(sed -n 's/^PRETTY_NAME=//p' /etc/os-release 2>/dev/null | tail -n 1 | tr -d '"') || true
cpus=$(cat /sys/devices/system/cpu/online 2>/dev/null) || true
[ -n "$cpus" ] || cpus=0-$(($(nproc --all) - 1))
home=/home
[ -d /home ] || home=/
free=$(df -P -k "$home")
printf 'system=%s\n' "${system:-Linux $(uname -r)}"
printf 'cpus=%s\n' "$cpus"
printf 'ram_kib=%s\n' "$(sed -n 's/^MemTotal:[[:space:]]*\([0-9]*\) kB$/\1/p' /proc/meminfo)"
printf 'free_kib=%s\n' "$(printf '%s\n' "$free" | awk 'NR == 2 { print $4 }')"
printf 'limits=%s\n' "$limits"
