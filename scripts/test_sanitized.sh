#!/bin/sh
# The tests of everything native under AddressSanitizer and UndefinedBehaviorSanitizer, on a build
# of its own in build/sanitized. Arguments go to pytest in place of the folders.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
case $python in */*) python=$(cd "$(dirname "$python")" && pwd)/$(basename "$python") ;; esac
place=build/sanitized
mkdir -p "$place"
for part in native src setup.py pyproject.toml README.md LICENSE; do
    rm -rf "${place:?}/$part"
    cp -R "$part" "$place/"
done
find "$place/src" -name '_native.*.so' -delete
(cd "$place" && CC=${CC:-gcc} TRACEPACT_SANITIZE=1 "$python" setup.py -q build_ext --inplace)

# The interpreter is not instrumented: the runtime has to be there before it, its own allocator
# would hide overruns of what it hands out, and what it never frees is not ours.
export LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"
export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 PYTHONMALLOC=malloc
export TRACEPACT_CORE=native PYTHONPATH="$PWD/$place/src"
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
"$python" -c 'from tracepact.core import _native; assert "sanitized" in _native.__file__'
if [ $# -eq 0 ]; then
    set -- tests/core tests/predicate tests/tracing tests/profiling tests/engines/llamacpp \
        tests/engines/reference/test_tracing.py
fi
exec "$python" -m pytest -q -p no:cacheprovider --timeout=1200 "$@"
