# Run by PAM, as root, when somebody logs in: brings the sessions of a compute unit into its control
# groups. What fails here shuts out units alone, never who keeps the host.
set -eu
LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH

unit=${PAM_USER:-}
case $unit in '' | .* | */*) exit 0 ;; esac
[ "${PAM_TYPE:-}" = open_session ] && [ -d "$units/$unit" ] || exit 0
# Of its parents, the one that asked PAM and becomes the session's.
parent=$PPID
apply_limits "$unit"
enter_limits "$unit" "$parent"
