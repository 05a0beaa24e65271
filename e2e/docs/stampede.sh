#!/usr/bin/env bash
# Stands before the binary in a page's session, see doc.go.
if [ "${STAMPEDE_SHORT-}" ]; then
  args=() before=
  for arg; do
    case "$before $arg" in
    '--duration '* | '--warmup '*s) arg=1s ;;
    esac
    args+=("$arg") before=$arg
  done
  set -- "${args[@]}"
fi
ready=
case "${1-}" in
controller) ready='^http listening on ' ;;
simulate) ready='^simulator listening on ' ;;
agent) ready='session begins' ;;
esac
for arg; do
  case "$arg" in
  --help | -h | help | join-command) ready= ;;
  esac
done
if [ -z "$ready" ]; then
  code=0
  if [ "${1-}" = doctor ]; then
    found=$("$STAMPEDE_REAL" "$@") || code=$?
    echo "$found"
    if [ "$code" = 1 ] && [ "$(grep '✘ fail' <<<"$found" | grep -cv '✘ fail  timers ')" = 0 ]; then
      code=0
    fi
  else
    "$STAMPEDE_REAL" "$@" || code=$?
  fi
  [ "$code" = 3 ] && code=0
  exit "$code"
fi
log=$(mktemp "$STAMPEDE_SERVERS/XXXXXXXX.log")
"$STAMPEDE_REAL" "$@" >"$log" 2>&1 &
pid=$!
echo "$pid" >"$log.pid"
for _ in $(seq 400); do
  if grep -q "$ready" "$log"; then
    cat "$log"
    exit 0
  fi
  if ! kill -0 "$pid" 2>/dev/null; then
    rm -f "$log.pid"
    cat "$log" >&2
    wait "$pid"
    exit $?
  fi
  sleep 0.05
done
echo "stampede $*: not ready within 20 s" >&2
cat "$log" >&2
exit 1
