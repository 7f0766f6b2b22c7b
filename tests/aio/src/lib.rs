//! Tests of connections under tokio: see `tests`.
