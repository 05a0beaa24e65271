#!/usr/bin/env bash
# The page's reader stands in the module's folder.
cd "$STAMPEDE_ROOT" || exit
exec "$GO_REAL" "$@"
