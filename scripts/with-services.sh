#!/usr/bin/env bash
# Runs a command with a PostgreSQL and a Redis of its own, then ends both:
#
#   scripts/with-services.sh npm run test:scale-out
#
# Installs Debian's postgresql and redis-server where they are missing. Both keep their durability on, listen on spare
# ports of the loopback interface, and live in a temporary folder. The command finds them through TEST_DATABASE_URL and
# TEST_REDIS_URL; its exit status is this script's.
set -euo pipefail

[ $# -gt 0 ] || { echo "usage: $0 COMMAND [ARGUMENT...]" >&2; exit 2; }

folder=''
pids=()
command_pid=''

main() {
  ensure_installed
  folder=$(mktemp -d "${TMPDIR:-/tmp}/infernode-services.XXXXXX")
  trap stop_services EXIT
  trap 'interrupt TERM 143' TERM
  trap 'interrupt INT 130' INT
  trap 'interrupt HUP 129' HUP
  chmod 755 "$folder"
  start_postgres
  start_redis
  setpriv --pdeathsig TERM "$@" &
  command_pid=$!
  wait "$command_pid"
}

ensure_installed() {
  local missing=()
  [ -n "$(postgres_folder)" ] || missing+=(postgresql)
  command -v redis-server >/dev/null || missing+=(redis-server)
  [ ${#missing[@]} -gt 0 ] || return 0
  local elevate=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null && sudo -n true 2>/dev/null || fail "missing: ${missing[*]}; install with: apt-get install ${missing[*]}"
    elevate=(sudo -n)
  fi
  echo "Installing ${missing[*]}"
  # RUNLEVEL=1 keeps the packages from starting servers of their own.
  "${elevate[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  "${elevate[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${missing[@]}" \
    >"${TMPDIR:-/tmp}/infernode-apt.log" 2>&1 || { cat "${TMPDIR:-/tmp}/infernode-apt.log" >&2; fail 'apt-get install failed'; }
}

# The newest of Debian's versions, which lie outside PATH, else the one in PATH.
postgres_folder() {
  local newest
  newest=$(find /usr/lib/postgresql/*/bin -maxdepth 1 -name postgres 2>/dev/null | sort -V | tail -n 1 || true)
  if [ -z "$newest" ]; then newest=$(command -v postgres || true); fi
  if [ -n "$newest" ]; then dirname "$(readlink -f "$newest")"; fi
}

start_postgres() {
  local bin data="$folder/postgres" port attempt
  bin=$(postgres_folder)
  prepare_user postgres "$data"
  "${as_user[@]}" "$bin/initdb" --pgdata="$data" --username=infernode --auth=trust --encoding=UTF8 --locale=C >"$folder/initdb.log" 2>&1 ||
    { cat "$folder/initdb.log" >&2; fail 'initdb failed'; }
  for attempt in 1 2 3; do
    port=$(spare_port)
    "${as_user[@]}" "${tied[@]}" "$bin/postgres" -D "$data" -p "$port" -c listen_addresses=127.0.0.1 \
      -c unix_socket_directories="$data" -c max_connections=300 >>"$folder/postgres.log" 2>&1 </dev/null &
    pids+=($!)
    if answers "$!" "$bin/pg_isready" -q -h 127.0.0.1 -p "$port" -d postgres; then
      "${as_user[@]}" "$bin/createdb" -h 127.0.0.1 -p "$port" -U infernode infernode_test
      export TEST_DATABASE_URL="postgres://infernode@127.0.0.1:$port/infernode_test"
      return
    fi
  done
  cat "$folder/postgres.log" >&2
  fail 'PostgreSQL did not start'
}

start_redis() {
  local data="$folder/redis" port attempt
  prepare_user redis "$data"
  for attempt in 1 2 3; do
    port=$(spare_port)
    "${as_user[@]}" "${tied[@]}" redis-server --port "$port" --bind 127.0.0.1 --dir "$data" --appendonly yes --save '' \
      --maxmemory-policy noeviction >>"$folder/redis.log" 2>&1 </dev/null &
    pids+=($!)
    if answers "$!" redis-cli -h 127.0.0.1 -p "$port" ping; then
      export TEST_REDIS_URL="redis://127.0.0.1:$port"
      return
    fi
  done
  cat "$folder/redis.log" >&2
  fail 'Redis did not start'
}

# PostgreSQL refuses to run as root. Sets `as_user` to what drops those rights and `tied` to what ends a server with
# this script, even when it is killed; makes the data folder and gives it to that user.
prepare_user() {
  local user=$1 data=$2
  mkdir -m 700 "$data"
  as_user=()
  tied=(setpriv --pdeathsig INT)
  [ "$(id -u)" -eq 0 ] || return 0
  id "$user" >/dev/null 2>&1 || user=nobody
  as_user=(setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups)
  chown "$user" "$data"
}

answers() {
  local pid=$1 deadline=$((SECONDS + 30))
  shift
  while kill -0 "$pid" 2>/dev/null && [ $SECONDS -lt $deadline ]; do
    if "$@" >/dev/null 2>&1; then return 0; fi
    sleep 0.1
  done
  return 1
}

spare_port() {
  node -e 'const s = require("node:net").createServer(); s.listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); });'
}

# Bash runs a trap only after the command it waits for; hence the command in the background, and the signal passed on.
interrupt() {
  trap '' TERM INT HUP
  if [ -n "$command_pid" ]; then
    kill -"$1" "$command_pid" 2>/dev/null || true
    wait "$command_pid" || true
  fi
  exit "$2"
}

stop_services() {
  local pid
  for pid in "${pids[@]}"; do kill -INT "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do
    ( sleep 30; kill -KILL "$pid" 2>/dev/null ) >/dev/null 2>&1 &
    local guard=$!
    wait "$pid" 2>/dev/null || true
    kill "$guard" 2>/dev/null || true
  done
  rm -rf "$folder"
}

fail() {
  echo "$0: $1" >&2
  exit 1
}

main "$@"
