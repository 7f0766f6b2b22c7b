//! iceoryx2's publish-subscribe, with one publisher, one subscriber and nothing dropped.

use harness::channel::{Channel, Receiver, Sender};
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::{BackpressureStrategy, Node, NodeBuilder, ipc};
use iceoryx2::service::port_factory::PortFactory as _;
use iceoryx2::service::port_factory::publish_subscribe::PortFactory;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Samples that wait for the subscriber, at most.
const WAITING: usize = 256;

/// A service that each process opens for itself.
pub struct Service {
    name: String,
    size: usize,
}

type Factory = PortFactory<ipc::Service, [u8], ()>;

impl Service {
    pub fn new(size: usize) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { name: format!("spsc-shm peers {} {number}", std::process::id()), size }
    }

    fn open(&self) -> (Node<ipc::Service>, Factory) {
        let node = NodeBuilder::new().create::<ipc::Service>().expect("a node is to be had");
        let name = self.name.as_str().try_into().expect("a sound name");
        let factory = node
            .service_builder(&name)
            .publish_subscribe::<[u8]>()
            .enable_safe_overflow(false)
            .history_size(0)
            .subscriber_max_buffer_size(WAITING)
            .open_or_create()
            .expect("a service is to be had");
        (node, factory)
    }
}

impl Channel for Service {
    type Tx<'a> = Tx;
    type Rx<'a> = Rx;

    fn sender(&self) -> Tx {
        let (node, factory) = self.open();
        let publisher = factory
            .publisher_builder()
            .initial_max_slice_len(self.size)
            .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
            .create()
            .expect("a publisher is to be had");
        // What is sent before there is a subscriber is lost.
        while factory.dynamic_config().number_of_subscribers() == 0 {
            std::thread::yield_now();
        }
        Tx { publisher, _factory: factory, _node: node }
    }

    fn receiver(&self) -> Rx {
        let (node, factory) = self.open();
        let subscriber = factory.subscriber_builder().create().expect("a subscriber is to be had");
        Rx { subscriber, _factory: factory, _node: node }
    }
}

pub struct Tx {
    publisher: Publisher<ipc::Service, [u8], ()>,
    _factory: Factory,
    _node: Node<ipc::Service>,
}

impl Sender for Tx {
    #[inline(always)]
    fn send(&mut self, message: &[u8]) {
        // A subscriber that is still connecting gets nothing.
        loop {
            let sample = self.publisher.loan_slice_uninit(message.len()).expect("it is free");
            if sample.write_from_slice(message).send().expect("nothing is wrong") != 0 {
                break;
            }
        }
    }
}

pub struct Rx {
    subscriber: Subscriber<ipc::Service, [u8], ()>,
    _factory: Factory,
    _node: Node<ipc::Service>,
}

impl Receiver for Rx {
    #[inline(always)]
    fn receive(&mut self, message: &mut [u8]) {
        loop {
            if let Some(sample) = self.subscriber.receive().expect("nothing is wrong") {
                message.copy_from_slice(sample.payload());
                return;
            }
            std::hint::spin_loop();
        }
    }
}
