#!/usr/bin/env bash
# Builds the sample receiver of one language, or says that its toolchain is not here.
# Usage: build.sh LANGUAGE FOLDER; a file named built in the folder says that it is done.
set -euo pipefail
language=$1
mkdir -p "$2"
folder=$(realpath "$2")
source=$(realpath "$(dirname "$0")/../../docs/receivers/$language")

skip() {
  echo "skipped: $language receiver, $1"
  exit 0
}
need() {
  command -v "$1" >/dev/null || skip "$1 not found"
}
# need_version PROGRAM FOUND LEAST
need_version() {
  [ "$(printf '%s\n' "$3" "$2" | sort -V | head -n 1)" = "$3" ] || skip "$1 $3 or newer not found"
}

rm -f "$folder/built"
case $language in
python)
  need python3
  need_version python3 "$(python3 -c 'import platform; print(platform.python_version())')" 3.10
  python3 -c 'import ensurepip, venv' 2>/dev/null || skip "python3 venv not found"
  echo "Building the Python receiver"
  python3 -m venv --clear "$folder"
  "$folder/bin/pip" install --quiet --no-input --no-deps --requirement "$source/requirements.txt"
  ;;
typescript)
  need node
  need npm
  need_version node "$(node -p process.versions.node)" 20
  echo "Building the TypeScript receiver"
  cp "$source"/{package.json,package-lock.json,.npmrc,tsconfig.json,receiver.ts} "$folder"
  cd "$folder"
  npm ci --silent --ignore-scripts --no-audit --no-fund
  npx --no-install tsc
  ;;
java)
  need java
  need mvn
  java --list-modules 2>/dev/null | grep -q '^jdk.compiler@' || skip "JDK not found"
  need_version java "$(java --version | sed -n 's/^[a-z]* \([0-9.]*\).*/\1/p' | head -n 1)" 17
  echo "Building the Java receiver"
  mvn --quiet --batch-mode -Dstyle.color=never --file "$source/pom.xml" -Dinto="$folder" package
  ;;
*)
  echo "no receiver in $language" >&2
  exit 1
  ;;
esac
touch "$folder/built"
