# shellcheck shell=sh disable=SC2034  # the scripts that source this file use the variables
# Sourced by the scripts in this folder: sets the paths that they share, and how they give up. $0 must be such a script.

here=$(cd "$(dirname "$0")" && pwd)
shared=${SPILLWAY_SHARED_DIR:-$here/../../../shared}
oracle=$shared/oracle
cache=${XDG_CACHE_HOME:-$HOME/.cache}/spillway/oracle

# Exits with 77: this machine cannot do what was asked, and nothing is wrong with the request.
unavailable() {
  echo "$(basename "$0"): $*" >&2
  exit 77
}

need() {
  command -v "$1" >/dev/null || unavailable "$1 is missing; install $2"
}

need_oracle() {
  [ -f "$oracle/models.sha256" ] ||
    unavailable "$oracle does not exist; set SPILLWAY_SHARED_DIR to the folder that holds oracle/"
}

# A Python that has the modules named, which are installed if they are missing: its name on stdout.
find_python() {
  python_with "$@" && return 0
  # shellcheck disable=SC2046  # a list of words is meant
  "$here/../../tools/install-packages" $(printf 'python3-%s ' "$@") >&2 ||
    unavailable "a Python module is missing and could not be installed: $*"
  python_with "$@" || unavailable "$* is installed, but no python3 finds it"
}

python_with() {
  for python in python3 /usr/bin/python3; do
    if "$python" -c "import $(echo "$*" | tr ' ' ',')" 2>/dev/null; then
      echo "$python"
      return 0
    fi
  done
  return 1
}
