//! Whatever an object contains, connecting to it gives a status or a ring that works. The fuzz
//! target in `fuzz/` searches for the same, for longer.

mod object;

use proptest::prelude::*;

/// The control block of a ring of `capacity` bytes, with these counters.
fn control_block(capacity: u64, head: u64, tail: u64) -> Vec<u8> {
    let mut block = vec![0; 1024];
    block[..8].copy_from_slice(b"spscring");
    block[8..12].copy_from_slice(&(1_u32 << 16).to_le_bytes());
    block[12..16].copy_from_slice(&4096_u32.to_le_bytes());
    block[16..24].copy_from_slice(&capacity.to_le_bytes());
    block[128..136].copy_from_slice(&head.to_le_bytes());
    block[256..264].copy_from_slice(&tail.to_le_bytes());
    block
}

fn a_description() -> impl Strategy<Value = Vec<u8>> {
    let noise = prop::collection::vec(any::<u8>(), 0..1100);
    // A correct ring, except for a few bytes.
    let ring = (0_u32..8, any::<u64>(), 0_u64..20_000, any::<bool>()).prop_map(
        |(order, head, room, named)| {
            let size = order << 2 | u32::from(!named);
            let block = control_block(4096 << order, head, head.wrapping_sub(room));
            [size.to_le_bytes().to_vec(), block].concat()
        },
    );
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    let nearly = (ring, changes).prop_map(|(mut description, changes)| {
        for (index, byte) in changes {
            let at = index.index(description.len());
            description[at] = byte;
        }
        description
    });
    prop_oneof![1 => noise, 5 => nearly]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_object_gives_a_status_or_a_ring_that_works(description in a_description()) {
        object::open_object(&description);
    }
}
