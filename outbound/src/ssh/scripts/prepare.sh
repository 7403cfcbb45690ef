# Makes what the units of a host share.
alone
lacking=$(missing_programs)
[ -z "$lacking" ] || refuse "the host lacks these programs: $lacking"
limits=$(find_limits)
check_limits "$limits"
mkdir -p "$state"
[ ! -L "$state" ] && [ "$(stat -c %u "$state")" = 0 ] || refuse "$state is not a folder of root's"
chmod 0700 "$state"
mkdir -p "$units" "$told"
chmod 0755 "$told"
note_backups
write_file "$state/limits" "$limits"
case $limits in
  control_groups_*)
    # The script before the line that asks for it, and the other way round when it goes.
    printf '#!/bin/sh\n%s\n' "$session" >"$state/session.new"
    chmod 0700 "$state/session.new"
    mv -f "$state/session.new" "$state/session"
    add_hook
    ;;
  *) remove_hook ;;
esac
