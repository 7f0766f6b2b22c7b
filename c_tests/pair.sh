#!/bin/sh
# Runs PRODUCER and CONSUMER against each other; passes if both do.
# Usage: pair.sh PRODUCER CONSUMER MIN_CAPACITY SEED COUNT MAX_SIZE
set -u
producer=$1 consumer=$2 name=spsc-ctest-pair-$$
shift 2
trap 'rm -f "/dev/shm/$name"' EXIT
trap 'exit 1' HUP INT TERM
"$producer" "$name" "$@" &
# Whichever fails, the other learns of its death and ends too.
"$consumer" "$name" "$@"
consumed=$?
wait $!
produced=$?
[ $consumed -eq 0 ] && [ $produced -eq 0 ]
