#!/usr/bin/env bash
# Builds the control plane, or another main package of this module, and shows that it is getting on.
# Usage: build.sh OUTPUT [PACKAGE]
set -euo pipefail
output=$(realpath -m "$1")
package=${2:-.}
version=v1.36.3
cd "$(dirname "$0")"

mkdir -p "$(dirname "$output")"
export GOTOOLCHAIN=${GOTOOLCHAIN:-local}
stamp=k8s.io/component-base/version
flags="-s -w -X $stamp.gitVersion=$version -X $stamp.gitMajor=1 -X $stamp.gitMinor=36"

echo "Building $(basename "$output") (Kubernetes $version): about 5 minutes the first time on 2 cores, 20 s after a change."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
go mod download
go build -v -ldflags "$flags" -o "$output" "$package" >"$log" 2>&1 &
build=$!
trap 'kill "$build" 2>/dev/null || true; rm -f "$log"' EXIT

every=20
if [ -t 2 ]; then every=1; fi
began=$SECONDS
while kill -0 "$build" 2>/dev/null; do
  sleep 1
  spent=$((SECONDS - began))
  if ((spent % every == 0)); then
    line="  $(grep -c '^[a-z].*/' "$log" || true) packages compiled, ${spent} s"
    if [ -t 2 ]; then printf '\r%s' "$line" >&2; else echo "$line" >&2; fi
  fi
done
if [ -t 2 ]; then echo >&2; fi
if ! wait "$build"; then
  grep -v '^[a-z][^ :]*$' "$log" >&2 || cat "$log" >&2
  exit 1
fi
