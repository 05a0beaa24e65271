# What a page's session begins with. The folder of helpers stands in $HELPERS.
set -e -o pipefail
export PATH="$HELPERS/bin:$PATH"
export STAMPEDE_SERVERS="$HELPERS/servers"
mkdir -p "$STAMPEDE_SERVERS"

# fresh ends the servers that the page has started.
fresh() {
  local file pid
  for file in "$STAMPEDE_SERVERS"/*.pid; do
    [ -e "$file" ] && kill "$(cat "$file")" 2>/dev/null || true
  done
  for file in "$STAMPEDE_SERVERS"/*.pid; do
    [ -e "$file" ] || continue
    pid=$(cat "$file")
    for _ in $(seq 200); do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.05
    done
    rm -f "$file"
  done
}

# model starts a model server that is no part of the page.
model() {
  stampede simulate --addr "0.0.0.0:$1" --insecure --ttft 5ms --itl 1ms --tokens 4 >/dev/null
}

# curl fails on an answer that is an error, so that a page's mistakes show.
curl() {
  local arg
  for arg; do
    case "$arg" in
    --fail* | -f* | -[a-zA-Z]*f | -[a-zA-Z]*f[a-zA-Z]*)
      command curl -sS "$@"
      return
      ;;
    esac
  done
  command curl -sS --fail-with-body "$@"
}
