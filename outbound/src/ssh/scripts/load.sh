# What the processes of a unit use: ticks of the clock on a CPU, now and half a second later, and
# memory that is in use.
unit=$(unit_of "$instance")
if [ -z "$unit" ] || [ ! -e "$units/$unit/started" ]; then exit 0; fi
about "$unit"
numbers
used_ticks() {
  for pid in $(pgrep -U "$uid" || true); do
    sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null || true
  done | awk '{ sum += $12 + $13 } END { print sum + 0 }'
}
first=$(used_ticks)
sleep 0.5
second=$(used_ticks)
pages=$(for pid in $(pgrep -U "$uid" || true); do
  cat "/proc/$pid/statm" 2>/dev/null || true
done | awk '{ sum += $2 } END { print sum + 0 }')
printf 'ticks=%s\n' "$((second > first ? second - first : 0))"
printf 'hertz=%s\n' "$(getconf CLK_TCK 2>/dev/null || echo 100)"
printf 'ram_bytes=%s\n' "$((pages * $(getconf PAGESIZE 2>/dev/null || echo 4096)))"
