//! Structs that grow: the caller says how many bytes of one it knows. The rules are those of the
//! kernel's `openat2` and `clone3`. Nothing beyond the caller's size is touched. What the caller does
//! not know has its default. What the library does not know is zero.

use crate::status::{Result, Status};
use std::mem::MaybeUninit;

/// No struct will ever be larger. A size beyond it is a mistake.
const LARGEST: usize = 4096;

/// A struct that C callers allocate, and that may get members at its end.
///
/// # Safety
/// The type is `repr(C)`, consists of integers, and has no padding: all its bytes are initialised,
/// and any bytes are a value.
pub(super) unsafe trait Growing {
    /// The size of the first version.
    const FIRST: usize;
}

fn check<T: Growing>(size: usize) -> Result<()> {
    if (T::FIRST..=LARGEST).contains(&size) { Ok(()) } else { Err(Status::InvalidArgument.into()) }
}

/// The struct at `from`, of which the caller knows `size` bytes. The rest is as in `defaults`.
///
/// # Safety
/// `from` is NULL, or valid for reading `size` bytes.
pub(super) unsafe fn read<T: Growing>(from: *const T, size: usize, defaults: T) -> Result<T> {
    check::<T>(size)?;
    if from.is_null() {
        return Err(Status::InvalidArgument.into());
    }
    // SAFETY: the caller's promise; any bytes are integers.
    let bytes = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), size) };
    let (known, unknown) = bytes.split_at(size.min(size_of::<T>()));
    if unknown.iter().any(|byte| *byte != 0) {
        return Err(Status::InvalidArgument.into());
    }
    let mut value = defaults;
    // SAFETY: `known` is no longer than a T, whose bytes may have any values.
    unsafe { known.as_ptr().copy_to_nonoverlapping((&raw mut value).cast(), known.len()) };
    Ok(value)
}

/// Writes to `to` what the caller knows of `value`, and zeros where only the caller knows a member.
///
/// # Safety
/// `to` is NULL, or valid for writing `size` bytes.
pub(super) unsafe fn write<T: Growing>(to: *mut T, size: usize, value: &T) -> Result<()> {
    check::<T>(size)?;
    if to.is_null() {
        return Err(Status::InvalidArgument.into());
    }
    // SAFETY: the caller's promise; what stands there already is not read.
    let to = unsafe { std::slice::from_raw_parts_mut(to.cast::<MaybeUninit<u8>>(), size) };
    let (known, unknown) = to.split_at_mut(size.min(size_of::<T>()));
    // SAFETY: `known` is no longer than a T, all of whose bytes are initialised.
    unsafe {
        let value = std::ptr::from_ref(value).cast::<MaybeUninit<u8>>();
        value.copy_to_nonoverlapping(known.as_mut_ptr(), known.len());
    }
    unknown.fill(MaybeUninit::new(0));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C)]
    #[derive(Debug, PartialEq)]
    struct Grown {
        first: u64,
        second: u32,
        third: u32,
    }

    // SAFETY: three integers without padding.
    unsafe impl Growing for Grown {
        const FIRST: usize = 8;
    }

    const DEFAULTS: Grown = Grown { first: 1, second: 2, third: 3 };

    fn read_from(bytes: &[u8; 24], size: usize) -> Option<Grown> {
        // SAFETY: no size in these tests that is accepted is beyond the array.
        unsafe { read(bytes.as_ptr().cast(), size, DEFAULTS) }.ok()
    }

    #[test]
    fn what_the_caller_does_not_know_has_its_default() {
        let given = [9; 24];
        assert_eq!(read_from(&given, 8), Some(Grown { first: 0x0909_0909_0909_0909, ..DEFAULTS }));
        let second = Grown { first: 0x0909_0909_0909_0909, second: 0x0909_0909, third: 3 };
        assert_eq!(read_from(&given, 12), Some(second));
        for bad in [0, 7, 17, LARGEST + 1] {
            assert_eq!(read_from(&given, bad), None, "{bad}");
        }
    }

    #[test]
    fn what_only_the_caller_knows_must_be_zero() {
        let mut given = [0; 24];
        assert_eq!(read_from(&given, 24), Some(Grown { first: 0, second: 0, third: 0 }));
        given[23] = 1;
        assert_eq!(read_from(&given, 24), None);
    }

    #[test]
    fn an_output_ends_where_the_caller_says_and_the_unknown_is_zeroed() {
        let value = Grown { first: 0x0909_0909_0909_0909, second: 0x0909_0909, third: 0x0909_0909 };
        for (size, nines, zeros) in [(8, 8, 0), (12, 12, 0), (16, 16, 0), (23, 16, 7)] {
            let mut out = [0x55u8; 24];
            // SAFETY: no size is beyond the array.
            unsafe { write(out.as_mut_ptr().cast(), size, &value) }.unwrap();
            let mut expected = [0x55u8; 24];
            expected[..nines].fill(9);
            expected[nines..nines + zeros].fill(0);
            assert_eq!(out, expected, "{size}");
        }
    }
}
