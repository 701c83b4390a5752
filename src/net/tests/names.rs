//! Names that change what they lead to.

use std::sync::Mutex;

use super::*;
use crate::net::connect::Resolver;

/// A name server under the test's control; counts what it is asked.
#[derive(Clone, Default)]
struct Names {
    leads_to: Arc<Mutex<Vec<SocketAddr>>>,
    asked: Arc<AtomicUsize>,
}

impl Names {
    fn lead_to(&self, addresses: &[SocketAddr]) {
        *self.leads_to.lock().unwrap() = addresses.to_vec();
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn resolver(&self) -> Resolver {
        let names = self.clone();
        Arc::new(move |_, _| {
            names.asked.fetch_add(1, Ordering::SeqCst);
            let found = names.leads_to.lock().unwrap().clone();
            Box::pin(async move { Ok(found) })
        })
    }
}

/// A host at 127.0.0.2, the only address that is open here; counts its requests. Each connection serves `each`.
async fn open_host(each: usize) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = Arc::new(AtomicUsize::new(0));
    let count = served.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            for left in (0..each).rev() {
                if !hear(&mut stream).await {
                    break;
                }
                count.fetch_add(1, Ordering::SeqCst);
                let connection = if left == 0 { "close" } else { "keep-alive" };
                let answer = format!("HTTP/1.1 200 OK\r\nconnection: {connection}\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    });
    (address, served)
}

fn guarded(names: &Names) -> Client {
    let guard = Guard::new(vec!["127.0.0.2/32".parse().unwrap()], vec![]);
    Client::resolving(names.resolver(), guard, None, &Settings::default()).unwrap()
}

fn there() -> Request<Bytes> {
    post("http://receiver.example.org/")
}

#[tokio::test]
async fn a_name_that_turns_to_a_private_address_is_judged_again_for_each_connection() {
    let (names, (address, served)) = (Names::default(), open_host(1).await);
    let inside = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = guarded(&names);
    names.lead_to(&[address]);
    assert_eq!(client.send(there(), LONG, 100).await.unwrap().status, StatusCode::OK);
    for (turned, range) in [
        (vec![inside.local_addr().unwrap()], Range::Loopback),
        (vec!["10.0.0.1:80".parse().unwrap()], Range::Private),
        (vec!["169.254.169.254:80".parse().unwrap(), "[::1]:80".parse().unwrap()], Range::CloudMetadata),
        (vec!["[::ffff:127.0.0.1]:80".parse().unwrap()], Range::Loopback),
    ] {
        names.lead_to(&turned);
        let refused = client.send(there(), LONG, 100).await.unwrap_err();
        assert_eq!(refused, Error::Refused { range });
        assert!(!refused.sent());
    }
    let reached = tokio::time::timeout(Duration::from_millis(50), inside.accept()).await;
    assert!(reached.is_err(), "nobody knocked inside");
    names.lead_to(&[inside.local_addr().unwrap(), address]);
    assert_eq!(client.send(there(), LONG, 100).await.unwrap().status, StatusCode::OK, "the open one of two is taken");
    assert_eq!(served.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_kept_connection_goes_where_it_went_and_asks_no_name_server() {
    let (names, (address, served)) = (Names::default(), open_host(5).await);
    let client = guarded(&names);
    names.lead_to(&[address]);
    client.send(there(), LONG, 100).await.unwrap();
    names.lead_to(&["10.0.0.1:80".parse().unwrap()]);
    client.send(there(), LONG, 100).await.unwrap();
    assert_eq!((served.load(Ordering::SeqCst), names.asked()), (2, 1));
}

#[tokio::test]
async fn a_name_that_stops_resolving_is_said_to_and_comes_back() {
    let (names, (address, served)) = (Names::default(), open_host(1).await);
    let client = guarded(&names);
    names.lead_to(&[address]);
    client.send(there(), LONG, 100).await.unwrap();
    names.lead_to(&[]);
    assert_eq!(client.send(there(), LONG, 100).await.unwrap_err(), Error::Resolve);
    names.lead_to(&[address]);
    client.send(there(), LONG, 100).await.unwrap();
    assert_eq!((served.load(Ordering::SeqCst), names.asked()), (2, 3));
}

#[tokio::test]
async fn a_name_server_that_is_silent_meets_the_deadline() {
    let silent: Resolver = Arc::new(|_, _| Box::pin(std::future::pending()));
    let client = Client::resolving(silent, Guard::default(), None, &Settings::default()).unwrap();
    let limit = Duration::from_millis(100);
    let asked = client.send(there(), limit, 100).await.unwrap_err();
    assert_eq!(asked, Error::Timeout { stage: Stage::Connect, sent: false });
}
