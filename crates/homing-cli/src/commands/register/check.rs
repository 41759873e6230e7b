//! Does a service answer?
//!
//! A connection that is taken, or a reply to one GET. Each look has a time limit; of a reply only the head is read, which
//! hyper bounds.

use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http1::handshake;
use hyper::header::{HOST, USER_AGENT};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::args::Check;

/// A look that takes longer has failed, however seldom it is looked.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where to look, and how.
#[derive(Clone, Debug)]
pub(super) enum Look {
    /// Connect to this.
    Tcp(String, u16),
    /// Ask this.
    Http(Uri),
}

impl Look {
    /// At a service at this address and port; none where a connection has no port to go to.
    pub(super) fn new(check: &Check, address: Option<&str>, port: Option<u16>) -> Option<Self> {
        match check {
            // Without an address it is on this host.
            Check::Tcp => Some(Self::Tcp(address.unwrap_or("127.0.0.1").to_owned(), port?)),
            Check::Http(url) => Some(Self::Http(url.clone())),
        }
    }

    /// Looks once, for as long as between two looks at most.
    ///
    /// # Errors
    /// It is not well, and this is why.
    pub(super) async fn look(&self, interval: Duration) -> Result<(), String> {
        let limit = PATIENCE.min(interval);
        let looking = async {
            match self {
                Self::Tcp(host, port) => connect(host, *port).await.map(drop),
                Self::Http(url) => ask(url).await,
            }
        };
        let late = || format!("no answer within {limit:?}");
        timeout(limit, looking).await.unwrap_or_else(|_| Err(late()))
    }
}

async fn connect(host: &str, port: u16) -> Result<TcpStream, String> {
    let at = TcpStream::connect((host, port)).await;
    at.map_err(|error| format!("cannot connect to {host} port {port}: {error}"))
}

async fn ask(url: &Uri) -> Result<(), String> {
    let host = url.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let stream = connect(bare, url.port_u16().unwrap_or(80)).await?;
    let failed = |error: hyper::Error| format!("GET {url} failed: {error}");
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path)
        .header(HOST, url.authority().map_or(host, |authority| authority.as_str()))
        .header(USER_AGENT, concat!("homing/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new());
    let request = request.map_err(|error| format!("cannot ask {url}: {error}"))?;
    // It ends when the sender is dropped, also when nobody waits for the answer any more.
    tokio::spawn(connection);
    let status = sender.send_request(request).await.map_err(failed)?.status();
    if status.is_success() || status.is_redirection() {
        return Ok(());
    }
    Err(format!("GET {url} says {status}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// Looks at a server that answers with this; it says nothing at all where that is empty.
    async fn check(answer: &'static str, expect: Result<(), &str>) {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = server.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = server.accept().await.unwrap();
            let mut asked = vec![0; 1024];
            let read = stream.read(&mut asked).await.unwrap();
            let asked = String::from_utf8_lossy(&asked[..read]).to_lowercase();
            assert!(asked.starts_with("get /healthz?deep http/1.1\r\n"), "{asked}");
            assert!(asked.contains(&format!("host: 127.0.0.1:{port}\r\n")), "{asked}");
            if answer.is_empty() {
                std::future::pending::<()>().await;
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        let url = format!("http://127.0.0.1:{port}/healthz?deep").parse().unwrap();
        let found = Look::Http(url).look(Duration::from_millis(500)).await;
        match (found, expect) {
            (Ok(()), Ok(())) => {}
            (Err(why), Err(part)) => assert!(why.contains(part), "{why}"),
            (found, expect) => panic!("{found:?} instead of {expect:?}"),
        }
    }

    #[tokio::test]
    async fn an_answer_of_two_or_three_hundred_is_well_and_another_is_not() {
        check("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", Ok(())).await;
        check("HTTP/1.1 204 No Content\r\n\r\n", Ok(())).await;
        check("HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n", Ok(())).await;
        check("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", Err("says 503")).await;
        check("nonsense\r\n\r\n", Err("failed: ")).await;
        check("", Err("no answer within 500ms")).await;
    }

    #[tokio::test]
    async fn a_connection_that_is_taken_is_well_and_a_refused_one_is_not() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = server.local_addr().unwrap().port();
        let look = Look::new(&Check::Tcp, None, Some(port)).unwrap();
        assert_eq!(look.look(Duration::from_secs(5)).await, Ok(()));
        drop(server);
        let why = look.look(Duration::from_secs(5)).await.unwrap_err();
        assert!(why.starts_with(&format!("cannot connect to 127.0.0.1 port {port}: ")), "{why}");
    }
}
