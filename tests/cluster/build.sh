#!/usr/bin/env bash
# Builds the control plane, or another main package of this module, and shows that it is getting on.
# Usage: build.sh OUTPUT [PACKAGE]
set -euo pipefail
output=$(realpath -m "$1")
package=${2:-.}
kubernetes=v1.36.3
cd "$(dirname "$0")"

needed=1.26
found=$(go env GOVERSION 2>/dev/null | sed 's/^go//' || true)
if [ "$(printf '%s\n' "$needed" "$found" | sort -V | head -n 1)" != "$needed" ]; then
  echo "Go $needed or newer is needed to build $(basename "$output"), but ${found:-none} was found." >&2
  echo "Install it from https://go.dev/dl/ and put its bin folder on PATH, or, with a cluster of your own and no Go," >&2
  echo "use that one: CLUSTER=current." >&2
  exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "  Listing its packages; modules that are missing are fetched."
if ! total=$(go list -deps "$package" 2>"$log" | wc -l); then
  cat "$log" >&2
  exit 1
fi
mkdir -p "$(dirname "$output")"
stamp=k8s.io/component-base/version
go build -v -o "$output" \
  -ldflags "-s -w -X $stamp.gitVersion=$kubernetes -X $stamp.gitMajor=1 -X $stamp.gitMinor=36" \
  "$package" >"$log" 2>&1 &
build=$!
trap 'kill "$build" 2>/dev/null || true; rm -f "$log"' EXIT

# A line that counts up on a terminal, a line now and then elsewhere.
every=20
if [ -t 2 ]; then every=1; fi
while kill -0 "$build" 2>/dev/null; do
  sleep 1
  if ((SECONDS % every == 0)); then
    compiled=$(grep -Evc '^(go: |#|\s|\S+:[0-9])' "$log" || true)
    line="  $compiled of at most $total packages compiled, $SECONDS s"
    if [ -t 2 ]; then printf '\r%s' "$line" >&2; else echo "$line" >&2; fi
  fi
done
if [ -t 2 ]; then echo >&2; fi
if ! wait "$build"; then
  tail -n 40 "$log" >&2
  exit 1
fi
echo "  Built in $SECONDS s."
touch "$output" # Go leaves the file alone when nothing changed, and make would ask again
