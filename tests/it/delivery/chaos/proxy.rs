//! A proxy that breaks calls on their way: one fault a connection, by chance that can be repeated, and a count of each.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::sleep,
};

use crate::fixture::random::Random;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    None,
    Refuses,
    Hangs,
    CutsTheRequest,
    Says(u16),
    SaysHtml,
    HalvesTheAnswer,
    LosesTheAnswer,
    SendsTwice,
    Delays,
}

const FAULTS: [Fault; 13] = [
    Fault::Refuses,
    Fault::Hangs,
    Fault::CutsTheRequest,
    Fault::Says(401),
    Fault::Says(403),
    Fault::Says(404),
    Fault::Says(429),
    Fault::Says(500),
    Fault::SaysHtml,
    Fault::HalvesTheAnswer,
    Fault::LosesTheAnswer,
    Fault::SendsTwice,
    Fault::Delays,
];

/// The proxy. It runs until the runtime that it was started on ends.
#[derive(Clone)]
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    counts: Arc<Mutex<BTreeMap<String, u64>>>,
    is_healed: Arc<AtomicBool>,
}

impl Proxy {
    pub(super) async fn start(upstream: SocketAddr, mut random: Random) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self { address: listener.local_addr().unwrap(), counts: Arc::default(), is_healed: Arc::default() };
        let serving = proxy.clone();
        tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { return };
                let is_healed = serving.is_healed.load(Ordering::Relaxed);
                let fault = match random.below(26) {
                    at if at < 13 && !is_healed => FAULTS[at as usize],
                    _ => Fault::None,
                };
                *serving.counts.lock().unwrap().entry(format!("{fault:?}")).or_default() += 1;
                let wait = Duration::from_millis(u64::from(random.below(400)));
                tokio::spawn(async move { serve(client, upstream, fault, wait).await });
            }
        });
        proxy
    }

    /// From now on everything goes through.
    pub(super) fn heal(&self) {
        self.is_healed.store(true, Ordering::Relaxed);
    }

    /// How often each fault struck.
    pub(super) fn counts(&self) -> BTreeMap<String, u64> {
        self.counts.lock().unwrap().clone()
    }
}

async fn serve(mut client: TcpStream, upstream: SocketAddr, fault: Fault, wait: Duration) -> io::Result<()> {
    match fault {
        Fault::Refuses => return Ok(()),
        Fault::Hangs => {
            sleep(Duration::from_millis(1_500)).await;
            return Ok(());
        }
        _ => {}
    }
    let request = read_request(&mut client).await?;
    let answer = match fault {
        Fault::Says(status) => page(status, "text/html", "<h1>No</h1>"),
        Fault::SaysHtml => page(200, "text/html", "<html><body>Welcome to the hotel</body></html>"),
        Fault::CutsTheRequest => {
            let mut stream = TcpStream::connect(upstream).await?;
            stream.write_all(&request[..request.len() / 2]).await?;
            return Ok(());
        }
        Fault::SendsTwice => {
            call(upstream, &request).await?;
            call(upstream, &request).await?
        }
        Fault::Delays => {
            sleep(wait).await;
            call(upstream, &request).await?
        }
        _ => call(upstream, &request).await?,
    };
    match fault {
        Fault::LosesTheAnswer => Ok(()),
        Fault::HalvesTheAnswer => client.write_all(&answer[..answer.len() / 2]).await,
        _ => client.write_all(&answer).await,
    }
}

fn page(status: u16, kind: &str, body: &str) -> Vec<u8> {
    let more = if status == 429 { "retry-after: 1\r\n" } else { "" };
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\n{more}content-length: {length}\r\nconnection: close\r\n\r\n{body}")
        .into_bytes()
}

/// A whole request, told to be the last one of its connection.
async fn read_request(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let head = loop {
        if client.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
    while bytes.len() < head + 4 + length {
        if client.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let body = bytes.split_off(head);
    bytes.extend_from_slice(b"\r\nconnection: close");
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

async fn call(upstream: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(upstream).await?;
    stream.write_all(request).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}
