# Removes a unit; one of which there is no mark is not ours to remove.
alone
about "$unit"
if [ -d "$mark" ]; then dissolve; fi
