# Says whether the holders of these keys are let in.
alone
about "$unit"
if [ ! -s "$mark/uid" ] || ! is_ours \
  || [ "$(cat "$mark/instance" 2>/dev/null)" != "$instance" ]; then
  echo absent
elif [ ! -e "$mark/started" ]; then
  echo stopped
else
  numbers
  installed=$(installed_keys)
  printf '%s\n' "$keys" | while IFS= read -r key; do
    printf '%s\n' "$installed" | grep -qxF -e "$key" || exit 1
  done && echo ready || echo stopped
fi
