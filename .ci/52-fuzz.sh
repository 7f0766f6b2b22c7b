# The fuzz target for connect, for a short while. docs/TESTING.md says how to run it for long.
source .ci/need.sh
need_package c++ g++
fuzz/run -max_total_time=20
