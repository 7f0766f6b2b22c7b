#!/usr/bin/env bash
# The bridge over NATS JetStream, with a real server: tests, and campaigns of kills in short.
source .ci/need.sh

# nats-server from Debian, or built from its module.
command -v nats-server >/dev/null || install_package nats-server ||
    { need_go && go install github.com/nats-io/nats-server/v2@v2.10.29; }
PATH="$PATH:$(go env GOPATH 2>/dev/null || true)/bin"
nats-server --version
# Certificates, namespaces, and a line that loses packets.
need_package openssl openssl
need_package ip iproute2
need_package nft nftables

cd tools/bridge
cargo fmt --check
cargo clippy --quiet --locked --all-targets -- -D warnings
cargo test --quiet --locked
cd ../..

# What the README says, word for word, but with what is built already.
words=$(sed -n '/^## To another machine/,/^## Every/p' README.md | sed -n '/^```sh/,/^```/p' |
    sed '1d; $d; s/ --release//g; s,target/release,target/debug,g')
bash -euo pipefail -c "$words"
