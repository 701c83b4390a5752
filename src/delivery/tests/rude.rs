//! Receivers that answer as nobody should: each costs itself time, nobody else anything, and nothing is lost.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::receiver::{Answer, Received, Receiver};
use super::world::{MS, SEC, World};
use crate::domain::event_type::EventType;
use crate::net::tests::{authority, intermediate, tls_host_with};

const TYPE: EventType = EventType::AddressChanged;
const FINE: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

/// A host that serves each request, counted from 0, as `serve` says; the connection ends where that says no.
async fn host<F>(serve: impl Fn(TcpStream, usize) -> F + Send + Sync + 'static) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Future<Output = Option<TcpStream>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Arc::new(AtomicUsize::new(0));
    let (count, serve) = (heard.clone(), Arc::new(serve));
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (count, serve) = (count.clone(), serve.clone());
            tokio::spawn(async move {
                while hear(&mut stream).await {
                    let number = count.fetch_add(1, Ordering::SeqCst);
                    let Some(kept) = serve(stream, number).await else { return };
                    stream = kept;
                }
            });
        }
    });
    (address, heard)
}

/// Reads one request to the end of its body.
async fn hear(stream: &mut TcpStream) -> bool {
    let (mut heard, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return false,
            Ok(count) => heard.extend_from_slice(&buffer[..count]),
        }
        let Some(head) = heard.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&heard[..head]).to_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if heard.len() >= head + 4 + length.unwrap_or(0) {
            return true;
        }
    }
}

/// Says this, and ends the connection.
async fn say(mut stream: TcpStream, what: &[u8]) -> Option<TcpStream> {
    let _ = stream.write_all(what).await;
    let _ = stream.shutdown().await;
    while stream.read(&mut [0; 4096]).await.is_ok_and(|count| count > 0) {}
    None
}

fn url(address: SocketAddr) -> url::Url {
    format!("http://{address}/").parse().unwrap()
}

#[tokio::test]
async fn what_is_no_answer_is_told_apart_and_the_event_arrives_at_the_next_attempt() {
    for (said, class) in [
        (&b""[..], "Cut"),
        (b"HTTP/1.1 200 OK\r\n", "Cut"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", "Cut"),
        (b"<html>OK</html>", "NotHttp"),
        (b"HTTP/0.9 200 OK\r\n\r\n", "NotHttp"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: no\r\n\r\n", "NotHttp"),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n", "Http101"),
        (b"HTTP/1.1 300 Choose\r\ncontent-length: 0\r\n\r\n", "Http300"),
        (b"HTTP/1.1 999 What\r\ncontent-length: 0\r\n\r\n", "Http999"),
    ] {
        let (mut world, unused) = (World::new().await, Receiver::start().await);
        let (address, heard) = host(move |mut stream, number| async move {
            if number == 0 {
                return say(stream, said).await;
            }
            stream.write_all(FINE).await.ok().map(|()| stream)
        })
        .await;
        let (consumer, subscription) = world.consumer("acadre", &unused, |form| form.delivery.url = url(address)).await;
        let person = world.person(1, &[consumer]).await;
        world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
        world.deliver().await;
        let text = String::from_utf8_lossy(said);
        assert_eq!(world.parked(consumer).await[0].class, class, "{text:?}");
        let recorded = world.audited("disclosure").await;
        assert_eq!(
            (recorded.len(), recorded[0]["class"].as_str()),
            (1, Some(class)),
            "it may have been read: {text:?}"
        );
        world.after(10 * SEC).await;
        assert_eq!(heard.load(Ordering::SeqCst), 2, "{text:?}");
        assert!(world.parked(consumer).await.is_empty(), "{text:?}");
        assert_eq!(world.dead_letters(consumer).await, 0);
    }
}

#[tokio::test]
async fn a_whole_status_is_an_answer_whatever_comes_with_it() {
    let gigabyte = async |mut stream: TcpStream| {
        let piece = [b'x'; 65_536];
        let mut said = 0;
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n";
        stream.write_all(head).await.ok()?;
        while said < 1_000_000_000 && stream.write_all(&piece).await.is_ok() {
            said += piece.len();
        }
        assert!(said < 16 << 20, "{said} bytes of an answer were taken");
        None
    };
    let (address, heard) = host(move |mut stream, number| async move {
        match number % 5 {
            0 => gigabyte(stream).await,
            1 => stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\ngarbage").await.ok().map(|()| stream),
            2 => say(stream, b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n\xff\xfe{not json").await,
            3 => say(stream, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").await,
            _ => stream.write_all(FINE).await.ok().map(|()| stream),
        }
    })
    .await;
    let (mut world, unused) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world
        .consumer("acadre", &unused, |form| {
            (form.delivery.url, form.delivery.timeout) = (url(address), 20 * SEC);
        })
        .await;
    let person = world.person(1, &[consumer]).await;
    for _ in 0..15 {
        world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    }
    world.deliver().await;
    assert!(world.parked(consumer).await.is_empty(), "{:?}", world.parked(consumer).await);
    assert_eq!(world.sending(consumer).await, "Delivering");
    let heard = heard.load(Ordering::SeqCst);
    assert!((15..=20).contains(&heard), "{heard}: each once, but for a connection that was spoilt");
}

#[tokio::test]
async fn a_receiver_that_drips_holds_what_it_takes_for_its_timeout_and_no_longer() {
    for (head, class) in [
        (&b"HTTP/1.1 200 OK\r\nx-slow: "[..], "TimedOutWaiting"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", "TimedOutReading"),
    ] {
        let (address, _) = host(move |mut stream, _| async move {
            let _ = stream.write_all(head).await;
            while stream.write_all(b"x").await.is_ok() {
                tokio::time::sleep(20 * MS).await;
            }
            None
        })
        .await;
        let (mut world, fine) = (World::new().await, Receiver::start().await);
        let (slow, slow_sub) = world
            .consumer("slow", &fine, |form| {
                (form.delivery.url, form.delivery.timeout) = (url(address), 300 * MS);
            })
            .await;
        let (other, other_sub) = world.consumer("other", &fine, |_| {}).await;
        let person = world.person(1, &[slow, other]).await;
        world.happen(person, TYPE, &[(slow, &[slow_sub]), (other, &[other_sub])]).await;
        let began = std::time::Instant::now();
        world.deliver().await;
        assert!(began.elapsed() < 5 * SEC, "{:?}", began.elapsed());
        assert_eq!(world.parked(slow).await[0].class, class);
        assert_eq!(fine.events().len(), 1);
        assert!(world.parked(other).await.is_empty());
    }
}

#[tokio::test]
async fn one_poisoned_person_among_many_stops_nobody_and_is_given_up_with_a_gap() {
    for status in [413, 422] {
        let (mut world, receiver) = (World::new().await, Receiver::start().await);
        let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
        let people = world.people(150, consumer).await;
        let to: &[(i64, &[i64])] = &[(consumer, &[subscription])];
        let mut poisoned = 0;
        for (n, person) in people.iter().enumerate() {
            let seq = world.happen(*person, TYPE, to).await;
            if n == 70 {
                poisoned = seq;
            }
        }
        receiver.answer(move |got| Answer::Status(if got.sequence() == poisoned { status } else { 204 }));
        world.deliver().await;
        assert_eq!(receiver.events().len(), 150);
        let parked = world.parked(consumer).await;
        assert_eq!((parked.len(), parked[0].first_seq, parked[0].record), (1, poisoned, people[70]));
        for person in &people[..40] {
            world.happen(*person, TYPE, to).await;
            world.after(60 * SEC).await;
            assert_eq!(world.sending(consumer).await, "Delivering");
        }
        assert_eq!(world.dead_letters(consumer).await, 1);
        assert!(world.state(consumer).await.dead_letters);
        assert_eq!(world.asked_snapshots().await, [people[70]]);
        receiver.forget();
        world.happen(people[70], TYPE, to).await;
        world.happen(people[71], TYPE, to).await;
        world.deliver().await;
        let gaps: Vec<bool> = receiver.events().iter().map(|got| got.json.get("gapbefore").is_some()).collect();
        assert_eq!(gaps, [true, false]);
    }
}

/// Whether a receiver fails for this person: four of ten, in the order in which it hears of them.
fn is_unlucky(known: &Mutex<Vec<String>>, got: &Received) -> bool {
    let (mut known, subject) = (known.lock().unwrap(), got.subject());
    let place = known.iter().position(|one| *one == subject).unwrap_or_else(|| {
        known.push(subject);
        known.len() - 1
    });
    place % 10 < 4
}

#[tokio::test]
async fn a_receiver_that_fails_for_four_persons_in_ten_serves_the_others_and_blames_those() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let people = world.people(60, consumer).await;
    let to: &[(i64, &[i64])] = &[(consumer, &[subscription])];
    let known: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = known.clone();
    receiver.answer(move |got| Answer::Status(if is_unlucky(&heard, got) { 500 } else { 204 }));
    for round in 0..30 {
        for person in people.iter().skip(round % 7).step_by(7) {
            world.happen(*person, TYPE, to).await;
        }
        world.after(60 * SEC).await;
    }
    for person in &people {
        world.happen(*person, EventType::Died, to).await;
    }
    let of = |died: bool| -> HashSet<String> {
        let lucky = receiver.events().into_iter().filter(|got| !is_unlucky(&known, got));
        lucky.filter(|got| !died || got.type_() == "died").map(|got| got.subject()).collect()
    };
    // Failures that happen to come in a row make everyone wait, but nobody for ever.
    for round in 0..600 {
        if round >= people.len() && of(true) == of(false) {
            break;
        }
        // Who is to blame shows by others who are served.
        world.happen(people[round % people.len()], TYPE, to).await;
        world.after(60 * SEC).await;
    }
    assert!(of(false).len() > 20, "some are lucky");
    assert_eq!(of(true), of(false), "who is lucky is told everything");
    let unlucky = people.len() - of(false).len();
    let given_up = world.dead_letters(consumer).await as usize;
    assert!(given_up > unlucky / 2, "who fails while others are accepted is given up: {given_up} of {unlucky}");
    receiver.answer(|_| Answer::Status(204));
    for _ in 0..20 {
        world.after(700 * SEC).await;
    }
    assert!(world.parked(consumer).await.is_empty(), "{:?}", world.parked(consumer).await);
    let subjects: HashSet<String> = receiver.events().iter().map(Received::subject).collect();
    assert_eq!(subjects.len(), people.len(), "everybody was tried");
    let last = receiver.sequences().into_iter().max().unwrap();
    assert_eq!(world.watermarks(consumer).await, (last, last), "nobody was forgotten");
}

#[tokio::test]
async fn a_hint_is_obeyed_however_long_and_what_is_no_hint_is_none() {
    const WEEK: u32 = 7 * 86_400;
    let week_as_date = |world: &World| {
        let at = world.clock.now() + jiff::SignedDuration::from_secs(i64::from(WEEK));
        jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap()
    };
    for as_date in [false, true] {
        let (mut world, receiver) = (World::new().await, Receiver::start().await);
        let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
        let person = world.person(1, &[consumer]).await;
        world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
        let hint = if as_date { week_as_date(&world) } else { WEEK.to_string() };
        receiver.answer(move |_| Answer::With(503, "retry-after", hint.clone()));
        world.deliver().await;
        let sending = world.state(consumer).await.sending.unwrap();
        assert_eq!(sending.reason, "CircuitOpen");
        assert!(sending.message.contains("Retry-After") && sending.message.contains("spec"), "{}", sending.message);
        receiver.answer(|_| Answer::Status(204));
        for _ in 0..6 {
            world.after(86_400 * SEC).await;
        }
        assert_eq!(receiver.events().len(), 1, "not before its time");
        world.after(86_400 * SEC + 10 * SEC).await;
        assert_eq!(receiver.events().len(), 2);
        assert_eq!(world.dead_letters(consumer).await, 0, "it cost nothing");
    }
    for hint in ["-5", "soon", "", "1e3", "Thu, 01 Jan 1970 00:00:00 GMT", "Sun, 99 Nov 2026 12:00:00 GMT"] {
        let (mut world, receiver) = (World::new().await, Receiver::start().await);
        let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
        let person = world.person(1, &[consumer]).await;
        world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
        receiver.answer(move |_| Answer::With(429, "retry-after", hint.to_owned()));
        world.deliver().await;
        receiver.answer(|_| Answer::Status(204));
        world.after(10 * SEC).await;
        assert_eq!(receiver.events().len(), 2, "{hint:?}: the schedule alone counts");
    }
}

#[tokio::test]
async fn a_hint_to_wait_for_ever_is_shown_and_ends_with_the_spec_or_as_visible_dead_letters() {
    const FOR_EVER: &str = "100000000000000000000";
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let people = world.people(2, consumer).await;
    let to: &[(i64, &[i64])] = &[(consumer, &[subscription])];
    world.happen(people[0], TYPE, to).await;
    receiver.answer(|_| Answer::With(429, "retry-after", FOR_EVER.into()));
    world.deliver().await;
    assert!(world.state(consumer).await.sending.unwrap().message.contains("Retry-After"));
    receiver.answer(|_| Answer::Status(204));
    world.change_consumer(consumer, |form| form.delivery.max_in_flight = 8).await;
    world.deliver().await;
    assert_eq!(receiver.events().len(), 2, "somebody looked after it");
    receiver.answer(|_| Answer::With(429, "retry-after", FOR_EVER.into()));
    world.happen(people[1], TYPE, to).await;
    world.deliver().await;
    for _ in 0..25 {
        world.after(30 * 3600 * SEC).await;
    }
    assert_eq!(receiver.events().len(), 3, "never asked again");
    assert_eq!(world.dead_letters(consumer).await, 1);
    assert_eq!(world.asked_snapshots().await, [people[1]]);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_an_outage_and_costs_no_budget() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let nowhere: url::Url = "http://receiver.invalid/".parse().unwrap();
    let (consumer, subscription) = world.consumer("acadre", &receiver, |form| form.delivery.url = nowhere).await;
    let people = world.people(8, consumer).await;
    for person in &people {
        world.happen(*person, TYPE, &[(consumer, &[subscription])]).await;
    }
    for _ in 0..5 {
        world.after(700 * SEC).await;
    }
    let sending = world.state(consumer).await.sending.unwrap();
    assert_eq!(sending.reason, "CircuitOpen");
    assert!(sending.message.contains("Unresolved"), "{}", sending.message);
    assert_eq!(world.dead_letters(consumer).await, 0);
    assert!(world.audited("disclosure").await.is_empty(), "nothing left");
    receiver.answer(|_| Answer::Status(204));
    let there = receiver.url();
    world.change_consumer(consumer, |form| form.delivery.url = there).await;
    world.after(700 * SEC).await;
    assert_eq!(receiver.events().len(), 8);
}

#[tokio::test]
async fn bad_certificates_are_named_with_what_to_do() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (ours, theirs) = (authority(), authority());
    let between = intermediate(&ours);
    let lasts = (2020, 2090);
    let cases = [
        (tls_host_with(&theirs, "localhost", lasts, &[]), "TlsNotTrusted", "delivery.caBundleRef"),
        (tls_host_with(&between, "localhost", lasts, &[]), "TlsNotTrusted", "whole chain"),
        (tls_host_with(&ours, "localhost", (2020, 2021), &[]), "TlsExpired", "renew"),
        (tls_host_with(&ours, "localhost", (2089, 2090), &[]), "TlsExpired", "clocks"),
        (tls_host_with(&ours, "register.example.org", lasts, &[]), "TlsWrongName", "delivery.url"),
    ];
    for (number, (host, class, advice)) in cases.into_iter().enumerate() {
        let secure: url::Url = format!("https://localhost:{}/", host.port()).parse().unwrap();
        let name = format!("consumer-{number}");
        let id = world
            .unproved_consumer(&name, &receiver, |form| {
                (form.delivery.url, form.delivery.ca_bundle) = (secure, Some(ours.pem.clone()));
            })
            .await;
        world.deliver().await;
        let found = world.state(id).await.endpoint.unwrap();
        assert_eq!(found.reason, "TlsFailed");
        assert!(found.message.contains(class) && found.message.contains(advice), "{}", found.message);
        assert_eq!(world.sending(id).await, "WaitingForVerification");
    }
    let whole = tls_host_with(&between, "localhost", lasts, &[&between]);
    let secure: url::Url = format!("https://localhost:{}/", whole.port()).parse().unwrap();
    let id = world
        .unproved_consumer("whole", &receiver, |form| {
            (form.delivery.url, form.delivery.ca_bundle) = (secure, Some(ours.pem.clone()));
        })
        .await;
    world.deliver().await;
    assert_eq!(world.state(id).await.endpoint.unwrap().reason, "WrongAnswer", "it was reached");
}
