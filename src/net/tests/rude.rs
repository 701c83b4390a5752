//! Answers that no host should give.

use super::*;

const SHORT: Duration = Duration::from_millis(300);

/// What may lie in the buffers of two sockets and of the client.
const BUFFERS: usize = 16 << 20;

/// A host that hears one request and says these bytes again and again, up to a thousand million; counts what was taken of it.
async fn endless(head: &'static [u8], again: &'static [u8]) -> (SocketAddr, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let count = taken.clone();
    let address = host(move |mut stream, _| {
        let count = count.clone();
        async move {
            hear(&mut stream).await;
            let piece = again.repeat(65_536 / again.len() + 1);
            let _ = stream.write_all(head).await;
            while count.load(Ordering::SeqCst) < 1_000_000_000 && stream.write_all(&piece).await.is_ok() {
                count.fetch_add(piece.len(), Ordering::SeqCst);
            }
        }
    })
    .await;
    (address, taken)
}

/// What a host gets that says `said` to each request and then closes.
async fn said(said: &'static [u8]) -> Result<Answer, Error> {
    let address = host(move |mut stream, _| async move {
        hear(&mut stream).await;
        let _ = stream.write_all(said).await;
        let _ = stream.shutdown().await;
        hear(&mut stream).await;
    })
    .await;
    ask(address, LONG, 100).await
}

#[tokio::test]
async fn of_a_gigabyte_no_more_is_taken_than_is_read() {
    for head in
        [&b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n"[..], b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"]
    {
        let (address, taken) = endless(head, b"6101800001").await;
        let answer = ask(address, LONG, 65_536).await.unwrap();
        assert_eq!((answer.status, answer.body.len(), answer.truncated), (StatusCode::OK, 65_536, true));
        let taken = taken.load(Ordering::SeqCst);
        assert!(taken < BUFFERS, "{taken} bytes were taken");
    }
}

#[tokio::test]
async fn headers_without_end_are_refused_and_cost_little() {
    for line in [&b"x-more: 6101800001\r\n"[..], b"xxxxxxxxxx"] {
        let (address, taken) = endless(b"HTTP/1.1 200 OK\r\n", line).await;
        assert_eq!(ask(address, LONG, 100).await.unwrap_err(), Error::Protocol { sent: true });
        let taken = taken.load(Ordering::SeqCst);
        assert!(taken < BUFFERS, "{taken} bytes were taken");
    }
}

#[tokio::test]
async fn a_flood_of_interim_answers_meets_the_deadline() {
    let (address, _) = endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n").await;
    let began = Instant::now();
    let flooded = ask(address, SHORT, 100).await.unwrap_err();
    assert_eq!(flooded, Error::Timeout { stage: Stage::Answer, sent: true });
    assert!(began.elapsed() < LONG / 4, "{:?}", began.elapsed());
}

#[tokio::test]
async fn interim_answers_are_no_answer() {
    let answer = said(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n\
          HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n",
    )
    .await;
    assert_eq!(answer.unwrap().status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn headers_that_drip_meet_the_deadline() {
    let dripping = host(|mut stream, _| async move {
        hear(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nx-slow: ").await;
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!(ask(dripping, SHORT, 100).await.unwrap_err(), Error::Timeout { stage: Stage::Answer, sent: true });
}

#[tokio::test]
async fn what_is_not_http_is_no_answer() {
    for nonsense in [
        &b"<html>200 OK</html>"[..],
        b"200 OK\r\n\r\n",
        b"HTTP/0.9 200 OK\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00\x00\x00\x00",
    ] {
        let text = String::from_utf8_lossy(nonsense);
        assert_eq!(said(nonsense).await.unwrap_err(), Error::Protocol { sent: true }, "{text:?}");
    }
    for cut in [&b""[..], b"HTTP/1.1", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\na"] {
        let text = String::from_utf8_lossy(cut);
        assert_eq!(said(cut).await.unwrap_err(), Error::Cut { sent: true }, "{text:?}");
    }
    let bad_chunk = said(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n").await.unwrap_err();
    assert!(matches!(bad_chunk, Error::Protocol { sent: true } | Error::Cut { sent: true }), "{bad_chunk:?}");
}

#[tokio::test]
async fn an_answer_before_the_request_was_read_counts_if_it_is_whole() {
    let address = host(|mut stream, _| async move {
        let _ = stream.read(&mut [0; 10]).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        let _ = stream.shutdown().await;
        hear(&mut stream).await;
    })
    .await;
    assert_eq!(ask(address, LONG, 100).await.unwrap().status, StatusCode::OK);
    let unasked = host(|mut stream, _| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    })
    .await;
    for _ in 0..20 {
        match ask(unasked, LONG, 100).await {
            Ok(answer) => assert_eq!(answer.status, StatusCode::OK),
            Err(error) => assert!(matches!(error, Error::Cut { .. } | Error::Protocol { .. }), "{error:?}"),
        }
    }
}

#[tokio::test]
async fn bytes_after_an_answer_spoil_no_later_one() {
    let address = host(|mut stream, _| async move {
        while hear(&mut stream).await {
            let answer = b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 500 Forged\r\ncontent-length: 0\r\n\r\n";
            if stream.write_all(answer).await.is_err() {
                return;
            }
        }
    })
    .await;
    let client = client(None);
    for turn in 0..20 {
        match client.send(post(&format!("http://{address}/")), LONG, 100).await {
            Ok(answer) => assert_eq!(answer.status, StatusCode::NO_CONTENT, "{turn}"),
            Err(error) => panic!("{turn}: {error:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_closed_after_each_answer_fail_no_request() {
    let address = host(|mut stream, number| async move {
        hear(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        for _ in 0..number % 10 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let client = client(None);
    let mut failed = Vec::new();
    for turn in 0..2000 {
        if let Err(error) = client.send(post(&format!("http://{address}/")), LONG, 100).await {
            failed.push((turn, error));
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}

#[tokio::test]
async fn a_request_that_breaks_every_connection_is_heard_a_few_times_at_most() {
    let heard = Arc::new(AtomicUsize::new(0));
    let count = heard.clone();
    let address = host(move |mut stream, number| {
        let count = count.clone();
        async move {
            for _ in 0..=usize::from(number == 0) {
                hear(&mut stream).await;
                if count.fetch_add(1, Ordering::SeqCst) == 0 {
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
                }
            }
        }
    })
    .await;
    let client = client(None);
    let url = format!("http://{address}/");
    client.send(post(&url), LONG, 100).await.unwrap();
    assert_eq!(client.send(post(&url), LONG, 100).await.unwrap_err(), Error::Cut { sent: true });
    assert_eq!(heard.load(Ordering::SeqCst), 3, "once on the kept connection, once on a new one");
    assert_eq!(client.send(post(&url), LONG, 100).await.unwrap_err(), Error::Cut { sent: true });
    assert_eq!(heard.load(Ordering::SeqCst), 4, "a new connection that is cut is not tried again");
}
