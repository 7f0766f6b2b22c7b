# Crashes, hostile peers, failing system calls: docs/TESTING.md, "Crashes and hostile peers".
crashes() { cargo test --release --test crashes -- "$@"; }
crashes kills --kills 100
crashes messages --kills 1000
crashes steps
crashes large --mib 1024
crashes forks
crashes hostile --corruptions 500000
crashes failures
crashes replacing
crashes hygiene --cycles 20000
crashes connections --kills 300
crashes handshakes
crashes crowd --cycles 5000
crashes rivals orphans
# In namespaces of their own: root, or a kernel that lets anybody make a user namespace.
crashes full-memory pid-namespaces connection-namespaces
# As another user: root.
crashes other-user
