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
# In namespaces of their own: root, or a kernel that lets anybody make a user namespace.
crashes full-memory pid-namespaces
