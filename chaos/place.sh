#!/bin/sh
# Starts a process of a service here or on the far host (far.ts), wherever fewer of that service live; of equals where the
# oldest lives, so that a swap, which starts one before it stops the oldest, leaves one at each place.
#
#   place.sh FOLDER NAMESPACE ADDRESS SERVICE COMMAND...        FOLDER holds a file SERVICE.PLACE.PID for each process started
set -eu
folder=$1 namespace=$2 address=$3 service=$4
shift 4

# One at a time: two that start together must not both look before either has said where it goes.
tries=0
while ! mkdir "$folder/$service.lock" 2>/dev/null; do
  tries=$((tries + 1))
  if [ "$tries" -gt 200 ]; then break; fi # Whoever had it was killed.
  sleep 0.01
done

near=0 far=0 oldest=
for file in $(ls -tr "$folder" | grep "^$service\.[nf]"); do
  if ! kill -0 "${file##*.}" 2>/dev/null; then
    rm -f "$folder/$file"
    continue
  fi
  place=${file#"$service".}
  place=${place%.*}
  oldest=${oldest:-$place}
  if [ "$place" = far ]; then far=$((far + 1)); else near=$((near + 1)); fi
done

place=${oldest:-far}
if [ "$far" -gt "$near" ]; then place=near; elif [ "$near" -gt "$far" ]; then place=far; fi
: >"$folder/$service.$place.$$"
rmdir "$folder/$service.lock" 2>/dev/null || true
if [ "$place" = near ]; then exec "$@"; fi
HEADFRAME__host=$address
export HEADFRAME__host
exec ip netns exec "$namespace" "$@"
