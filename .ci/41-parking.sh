# The waiting protocol between processes: stress under a watchdog, with and without the kernel's
# help; system calls of a busy ring and of a wake-up; the cost of waiting.
source .ci/need.sh
need_package strace strace
cargo build --release -p parking
parking=target/release/parking

$parking stress 200000
for side in producer consumer both; do
    for refused in registration barrier membarrier; do
        $parking stress 3000 $refused $side
    done
done

# One waiter for many rings.
for rings in 1 8 64 127; do
    $parking any $rings 20000
done
for refused in waitv-ENOSYS waitv-EPERM; do
    $parking any 8 2000 $refused
done

# Event loops over a connection.
$parking doorbell 100000
for side in server client both; do
    for refused in registration barrier membarrier; do
        $parking doorbell 3000 $refused $side
    done
done

# One side may be taken off its processor at any time, and the other sleeps then. So the limits are far
# from none, and further from one for each message.
trace=$(mktemp)
trap 'rm -f "$trace"' EXIT
messages=1000000
strace -f -c -o "$trace" $parking busy $messages
calls=$(awk '$NF == "total" { print $4 }' "$trace")
echo "$calls system calls in all, both processes from start to end"
((calls < messages / 50))

# All of a connection's own, the handshake included, are sends and receives.
strace -f -e trace=%network -o "$trace" $parking conn-busy $messages
calls=$(wc -l <"$trace")
echo "$calls network system calls for as many messages over a connection"
((calls < messages / 50))

strace -f -c -o "$trace" $parking any-busy 8 $messages
calls=$(awk '$NF == "total" { print $4 }' "$trace")
echo "$calls system calls in all, with one busy ring among 8"
((calls < messages / 50))

strace -e trace=futex -o "$trace" $parking wakes 20
woken=$(grep -c 'FUTEX_WAKE, 1)' "$trace")
echo "$woken futex wakes for 20 publishes to a sleeper"
((woken == 20))

$parking idle 3
$parking any-cost 100
