//! The safe Rust interface to waiting on many: [`WaitSet`].

use crate::ring::{Consumer, Producer, limit};
use crate::status::{Result, Status};
use crate::wait::Patience;
use crate::wait::any::{self, Glance, Item, Member};
use std::ops::{Index, IndexMut};
use std::time::Duration;

/// One end of a ring, lent to a [`WaitSet`] that waits for it.
#[derive(Debug)]
pub enum End<'a> {
    /// Waits for free space.
    Producer(&'a mut Producer),
    /// Waits for data.
    Consumer(&'a mut Consumer),
}

/// What a [`WaitSet`] can own: an end of a ring, or what the application keeps with one.
///
/// ```
/// use spsc_shm::{Consumer, End, Waitable};
/// struct Client {
///     name: String,
///     requests: Consumer,
/// }
/// impl Waitable for Client {
///     fn end(&mut self) -> End<'_> {
///         End::Consumer(&mut self.requests)
///     }
/// }
/// ```
pub trait Waitable {
    /// The end to wait for: always the same one.
    fn end(&mut self) -> End<'_>;
}

impl Waitable for Producer {
    fn end(&mut self) -> End<'_> {
        End::Producer(self)
    }
}

impl Waitable for Consumer {
    fn end(&mut self) -> End<'_> {
        End::Consumer(self)
    }
}

/// Several ends of rings, for one thread to wait for all at once. The set owns them. They can be moved
/// out again.
///
/// Each has a key: a small number that stays the same for as long as the end is in the set.
///
/// ```
/// use spsc_shm::{Ring, WaitSet};
/// let mut set = WaitSet::new();
/// let mut producers = Vec::new();
/// for _ in 0..3 {
///     let (producer, consumer) = Ring::anonymous(4096)?.split();
///     producers.push(producer);
///     set.insert(consumer, 8)?; // ready when 8 bytes are there
/// }
/// producers[1].claim(8, None)?.publish_all();
///
/// for key in set.wait(None)? {
///     assert_eq!(key, 1);
///     set[key].peek(8, None)?.release_all();
/// }
/// # Ok::<(), spsc_shm::Error>(())
/// ```
#[derive(Debug)]
pub struct WaitSet<E> {
    slots: Vec<Slot<E>>,
    /// Where the end of each key is among the slots.
    places: Vec<Option<usize>>,
}

#[derive(Debug)]
struct Slot<E> {
    key: usize,
    end: E,
    need: usize,
    outcome: Option<Result<()>>,
}

impl<E: Waitable> Item for Slot<E> {
    #[inline]
    fn glance(&mut self) -> Glance {
        let need = self.need as u64;
        match self.end.end() {
            End::Producer(end) => end.endpoint().glance(need),
            End::Consumer(end) => end.endpoint().glance(need),
        }
    }

    #[inline]
    fn member(&mut self) -> Result<Member<'_>> {
        let (need, patience) = (self.need as u64, Patience::default());
        Ok(match self.end.end() {
            End::Producer(end) => end.endpoint().pending(need, patience)?.into(),
            End::Consumer(end) => end.endpoint().pending(need, patience)?.into(),
        })
    }

    fn note(&mut self, outcome: Option<Result<()>>) {
        self.outcome = outcome;
    }
}

impl<E> Default for WaitSet<E> {
    fn default() -> Self {
        Self { slots: Vec::new(), places: Vec::new() }
    }
}

impl<E> WaitSet<E> {
    /// The most ends that a set holds.
    pub const MAX: usize = any::MOST;

    /// A set without ends.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many ends are in the set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether no end is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Takes an end in. It is ready when `need` bytes are there, or free. Gives its key.
    ///
    /// # Errors
    /// [`Status::TooLarge`] if [`MAX`](Self::MAX) ends are in the set. The end is dropped then. If that
    /// may happen, look at [`len`](Self::len) first.
    pub fn insert(&mut self, end: E, need: usize) -> Result<usize> {
        if self.len() == Self::MAX {
            return Err(Status::TooLarge.into());
        }
        let key = self.places.iter().position(Option::is_none).unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        self.places[key] = Some(self.slots.len());
        self.slots.push(Slot { key, end, need, outcome: None });
        Ok(key)
    }

    /// Moves an end out of the set.
    ///
    /// ```
    /// use spsc_shm::{Ring, WaitSet};
    /// let mut set = WaitSet::new();
    /// let key = set.insert(Ring::anonymous(4096)?.into_consumer(), 1)?;
    /// assert!(set.remove(key).is_some());
    /// assert!(set.is_empty());
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    pub fn remove(&mut self, key: usize) -> Option<E> {
        let place = self.places.get_mut(key)?.take()?;
        let slot = self.slots.swap_remove(place);
        if let Some(moved) = self.slots.get(place) {
            self.places[moved.key] = Some(place);
        }
        Some(slot.end)
    }

    /// The end of this key.
    #[must_use]
    pub fn get(&self, key: usize) -> Option<&E> {
        Some(&self.slots[self.place(key)?].end)
    }

    /// The end of this key, to use it.
    #[must_use]
    pub fn get_mut(&mut self, key: usize) -> Option<&mut E> {
        let place = self.place(key)?;
        Some(&mut self.slots[place].end)
    }

    /// Changes how many bytes an end waits for. False if there is no end of this key.
    pub fn set_need(&mut self, key: usize, need: usize) -> bool {
        let place = self.place(key);
        place.inspect(|place| self.slots[*place].need = need).is_some()
    }

    /// What the last [`wait`](Self::wait) found of the end of this key. `None` if it was not ready, or
    /// was not in the set.
    ///
    /// ```
    /// use spsc_shm::{Ring, Status, WaitSet};
    /// let (mut producer, consumer) = Ring::anonymous(4096)?.split();
    /// let mut set = WaitSet::new();
    /// let key = set.insert(consumer, 1)?;
    /// producer.wait_for_space(1, None)?;
    /// drop(producer);
    /// assert_eq!(set.wait(None)?.next(), Some(key));
    /// assert_eq!(set.outcome(key).unwrap().unwrap_err().status(), Status::Closed);
    /// # Ok::<(), spsc_shm::Error>(())
    /// ```
    #[must_use]
    pub fn outcome(&self, key: usize) -> Option<Result<()>> {
        self.slots[self.place(key)?].outcome
    }

    /// The keys of all ends in the set.
    pub fn keys(&self) -> impl Iterator<Item = usize> {
        self.places.iter().enumerate().filter_map(|(key, place)| place.map(|_| key))
    }

    fn place(&self, key: usize) -> Option<usize> {
        *self.places.get(key)?
    }
}

impl<E: Waitable> WaitSet<E> {
    /// Waits until at least one end is ready, and gives the keys of all that are. `None` waits for
    /// ever.
    ///
    /// An end is ready if its next call would not wait. That is also so if its peer is gone, or if it has
    /// an error: its next call says so, or [`outcome`](Self::outcome). Serve all keys before the next
    /// wait, and none is starved. [`remove`](Self::remove) an end whose peer is gone for good, or the next
    /// wait returns at once, too.
    ///
    /// Each end takes its role here, if it has not taken it before. While anything is ready, no system
    /// call is made, except a look at whether the peers are alive, ten times a second.
    ///
    /// # Errors
    /// [`Status::Timeout`]; [`Status::Interrupted`] if an end was interrupted and none is ready (the
    /// interrupted one's [`outcome`](Self::outcome) says so); [`Status::InvalidArgument`] for a set
    /// without ends, as a wait for nothing would not end.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Ready> {
        any::any(&mut self.slots, limit(timeout))?;
        let ready = self.slots.iter().filter(|slot| slot.outcome.is_some());
        Ok(Ready { keys: ready.fold(0, |keys, slot| keys | 1 << slot.key) })
    }
}

impl<E> Index<usize> for WaitSet<E> {
    type Output = E;

    /// # Panics
    /// If there is no end of this key.
    fn index(&self, key: usize) -> &E {
        self.get(key).expect("an end of this key is in the set")
    }
}

impl<E> IndexMut<usize> for WaitSet<E> {
    /// # Panics
    /// If there is no end of this key.
    fn index_mut(&mut self, key: usize) -> &mut E {
        self.get_mut(key).expect("an end of this key is in the set")
    }
}

/// The keys of the ends that are ready, in ascending order. It borrows nothing, so that ends can be
/// used and moved out meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// One bit each.
    keys: u128,
}

impl Iterator for Ready {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let key = self.keys.trailing_zeros();
        self.keys &= self.keys.wrapping_sub(1);
        (key < u128::BITS).then_some(key as usize)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let count = self.keys.count_ones() as usize;
        (count, Some(count))
    }
}

impl ExactSizeIterator for Ready {}

impl std::iter::FusedIterator for Ready {}
