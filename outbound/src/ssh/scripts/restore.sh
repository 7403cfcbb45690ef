# Removes all that cutting the host into units has left. A renter of the whole host stays.
alone
for folder in "$units"/*; do
  [ -d "$folder" ] || continue
  about "$(basename "$folder")"
  dissolve
done
remove_hook
for folder in "$groups/cpuset/berth" "$groups/memory/berth" "$groups/pids/berth" "$groups/berth"; do
  if [ -d "$folder" ]; then rmdir "$folder"; fi
done
rm -rf "$told"
if [ -d "$state/renter" ]; then exit 0; fi
restore_backups
rm -rf "$state"
