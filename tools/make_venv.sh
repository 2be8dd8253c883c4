#!/usr/bin/env bash
# Makes the virtual environment FOLDER with the first Python >= 3.11 found; keeps a working one.
#
#   tools/make_venv.sh FOLDER          (PYTHON=/path/to/python chooses the interpreter)
set -eu

folder=$1
recent='import sys; sys.exit(sys.version_info < (3, 11))'

if "$folder/bin/python" -c "$recent" 2>/dev/null && "$folder/bin/python" -m pip -V >/dev/null 2>&1; then
    exit 0
fi

python=
for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
    if "$candidate" -c "$recent" 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "error: no Python 3.11 or newer found (looked for: ${PYTHON:-python3, python3.11-3.14})." >&2
    echo "       Install one, or name it: make setup PYTHON=/path/to/python3" >&2
    exit 1
fi

# Debian keeps the part of Python that makes virtual environments in a package of its own.
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
"$(dirname "$0")/need.sh" "python$version-venv" "$python" -c 'import ensurepip, venv'

"$python" -m venv --clear "$folder"
