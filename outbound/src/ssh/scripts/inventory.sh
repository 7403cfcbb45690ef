# Which instances have a unit, and whether each was started.
for file in "$units"/*/instance; do
  [ -s "$file" ] || continue
  runs=no
  if [ -e "$(dirname "$file")/started" ]; then runs=yes; fi
  printf '%s %s\n' "$(cat "$file")" "$runs"
done
