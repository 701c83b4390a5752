//! What the client does through a forward proxy, and with one that opens no way.

use std::sync::Mutex;

use super::*;
use crate::net::proxy::Fault;

/// Through the proxy that is found there.
fn by(proxy: &str, ca: Option<&str>) -> Client {
    let loopback = Guard::new(vec!["127.0.0.0/8".parse().unwrap()], vec![]);
    guarded_by(proxy, ca, loopback)
}

fn guarded_by(proxy: &str, ca: Option<&str>, guard: Guard) -> Client {
    let proxy = Some(format!("http://{proxy}").parse().unwrap());
    let settings = Settings { proxy, connect_timeout: Duration::from_millis(500), ..Settings::default() };
    Client::new(guard, ca, &settings).unwrap()
}

/// What is asked of a proxy, up to the empty line.
async fn asked(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    while !heard.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => heard.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(heard).unwrap()
}

/// A proxy that leads everybody to `target`, and what it was asked.
async fn leading_to(target: SocketAddr) -> (String, Arc<Mutex<Vec<String>>>) {
    let log: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = log.clone();
    let proxy = host(move |mut near, _| {
        let log = kept.clone();
        async move {
            let head = asked(&mut near).await;
            log.lock().unwrap().push(head);
            near.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
            let mut far = TcpStream::connect(target).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        }
    });
    (proxy.await.to_string(), log)
}

/// A proxy that hears each request, says these bytes and hangs up.
async fn saying(bytes: &'static [u8]) -> String {
    let proxy = host(move |mut near, _| async move {
        asked(&mut near).await;
        let _ = near.write_all(bytes).await;
    });
    proxy.await.to_string()
}

#[tokio::test]
async fn the_proxy_resolves_the_name_and_its_way_is_kept() {
    let target = host(|mut stream, _| async move {
        while hear(&mut stream).await {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        }
    })
    .await;
    let (proxy, log) = leading_to(target).await;
    let client = by(&proxy, None);
    for _ in 0..3 {
        let answer = client.send(post("http://register.example.org/"), LONG, 100).await.unwrap();
        assert_eq!(&answer.body[..], b"ok");
    }
    let expected = "CONNECT register.example.org:80 HTTP/1.1\r\nhost: register.example.org:80\r\n\r\n";
    assert_eq!(*log.lock().unwrap(), [expected]);
}

#[tokio::test]
async fn tls_goes_through_the_proxy_to_the_host_and_is_judged_as_ever() {
    let (ours, theirs) = (authority(), authority());
    let cases = [
        (tls_host(&ours, "register.example.org", 2090), None),
        (tls_host(&theirs, "register.example.org", 2090), Some(TlsClass::NotTrusted)),
        (tls_host(&ours, "proxy.example.org", 2090), Some(TlsClass::WrongName)),
    ];
    for (target, refused) in cases {
        let (proxy, log) = leading_to(target).await;
        let answer = by(&proxy, Some(&ours.pem)).send(post("https://register.example.org/"), LONG, 100).await;
        let refused = refused.map(|class| Error::Tls { class, sent: false });
        assert_eq!(answer.err(), refused);
        assert!(log.lock().unwrap()[0].starts_with("CONNECT register.example.org:443 "));
    }
}

#[tokio::test]
async fn a_proxy_that_opens_no_way_is_named_for_it_and_nothing_has_left() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let silent = host(|mut stream, _| async move {
        asked(&mut stream).await;
        tokio::time::sleep(LONG).await;
    });
    let cases = [
        (saying(b"HTTP/1.1 407 Sign In\r\nproxy-authenticate: Basic\r\n\r\n").await, Fault::Status(407)),
        (saying(b"HTTP/1.1 403 No\r\ncontent-length: 6\r\n\r\ncanary").await, Fault::Status(403)),
        (saying(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await, Fault::Status(502)),
        (saying(b"").await, Fault::Protocol),
        (saying(b"SSH-2.0-canary\r\n").await, Fault::Protocol),
        (saying(b"HTTP/1.1 200 OK\r\n\r\ncanary").await, Fault::Protocol),
        (silent.await.to_string(), Fault::Silent),
        (closed.to_string(), Fault::NotTaken),
        ("no-such-host.invalid:3128".to_owned(), Fault::Unresolved),
    ];
    for (proxy, fault) in cases {
        let error = by(&proxy, None).send(post("http://register.example.org/"), LONG, 100).await.unwrap_err();
        assert_eq!(error, Error::Proxy { fault });
        assert!(!error.sent() && !error.to_string().contains("canary"), "{error}");
        assert!(error.to_string().starts_with("the proxy"), "{error}");
    }
}

#[tokio::test]
async fn the_guard_judges_the_proxy_s_addresses_and_those_that_stand_in_a_url() {
    let (proxy, log) = leading_to("127.0.0.1:1".parse().unwrap()).await;
    let closed = guarded_by(&proxy, None, Guard::default());
    let refused = closed.send(post("http://register.example.org/"), LONG, 100).await.unwrap_err();
    assert_eq!(refused, Error::Proxy { fault: Fault::Refused(Range::Loopback) });
    for (url, range) in
        [("http://169.254.169.254/latest", Range::CloudMetadata), ("https://[fd00::1]/", Range::UniqueLocal)]
    {
        let refused = by(&proxy, None).send(post(url), LONG, 100).await.unwrap_err();
        assert_eq!(refused, Error::Refused { range });
    }
    assert!(log.lock().unwrap().is_empty(), "nobody asked the proxy");
}
