//! Chaos with an oracle: shells deliver through a proxy that breaks every other call, shells and the tracker are killed,
//! and once the tracker is restored from an older copy of its journal. In the end the tracker holds what the shells'
//! journals hold: the same bytes, in order in each stream, nothing twice.
//!
//! `scripts/chaos` is the long run. The seed repeats its plan, though not the moments at which the kernel does things.

mod proxy;

use std::{
    collections::BTreeMap,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use admin_shell::journal::{Journal, SqliteJournal};
use rustix::process::Signal;
use sqlx::Connection;

use crate::fixture::{Place, many, random::Random};

const SECRET: &str = "a secret for chaos, 32 bytes and more of it";
const MACHINES: usize = 3;

/// The tracker's process.
struct Tracker {
    directory: PathBuf,
    address: SocketAddr,
    child: Child,
}

impl Tracker {
    fn start(directory: &Path, address: SocketAddr) -> Self {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(directory.join("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_session-tracker"))
            .args(["serve", "--rate", "0", "--listen", &address.to_string(), "--database"])
            .arg(directory.join("tracker.db"))
            .env("SESSION_TRACKER_SECRET", SECRET)
            .env("XDG_DATA_HOME", directory)
            .env("XDG_STATE_HOME", directory)
            .env("XDG_CONFIG_HOME", directory)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let tracker = Self { directory: directory.to_owned(), address, child };
        let begun = Instant::now();
        while std::net::TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "the tracker does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        tracker
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Another one at the same place.
    fn again(&mut self) {
        *self = Self::start(&self.directory.clone(), self.address);
    }

    fn copy(&self, to: &str, from: &str) {
        for suffix in ["", "-wal", "-shm"] {
            let (from, to) = (format!("{from}{suffix}"), self.directory.join(format!("{to}{suffix}")));
            let _ = std::fs::remove_file(&to);
            if self.directory.join(&from).exists() {
                std::fs::copy(self.directory.join(from), to).unwrap();
            }
        }
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One machine's shells, one after the other, until it is over.
fn work(place: &Place, url: &str, mut random: Random, over: &AtomicBool, killed: &AtomicU64) {
    while !over.load(Ordering::Relaxed) {
        let script = format!("for i in 0..{} {{ bump() }}", random.below(40));
        let shell = place.victim().env("ADMIN_SHELL_SINK", url).env("ADMIN_SHELL_SECRET", SECRET);
        let running = shell.args(["-c", &script]).start();
        if random.below(4) == 0 {
            std::thread::sleep(Duration::from_millis(u64::from(random.below(250))));
            running.signal(Signal::KILL);
        }
        // Only one that was still there counts as killed.
        if running.wait().code().is_none() {
            killed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn everything_arrives_once() {
    let seconds = u64::from(many("ADMIN_SHELL_CHAOS_SECONDS", 12));
    let least = u64::from(many("ADMIN_SHELL_CHAOS_EVENTS", 0));
    let mut random = Random::seeded("ADMIN_SHELL_CHAOS_SEED");
    // Whatever has to be built is built before the time runs.
    crate::fixture::program("victim");
    println!("seed {}, {seconds} s and {least} events at least", random.seed());
    let directory = tempfile::tempdir().unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let proxy = runtime.block_on(proxy::Proxy::start(address, random.fork()));
    let url = format!("http://{}", proxy.address);
    let mut tracker = Tracker::start(directory.path(), address);
    let places: Vec<Place> = (0..MACHINES).map(|_| Place::new()).collect();
    let (over, killed, mut restarts) = (AtomicBool::new(false), AtomicU64::new(0), 0);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for place in &places {
            let random = random.fork();
            let (url, over, killed) = (&url, &over, &killed);
            scope.spawn(move || work(place, url, random, over, killed));
        }
        let (mut copied, mut restored) = (false, false);
        while begun.elapsed() < Duration::from_secs(seconds) || written(&places) < least {
            std::thread::sleep(Duration::from_millis(500 + u64::from(random.below(2_000))));
            tracker.kill();
            restarts += 1;
            let part = begun.elapsed().as_secs_f64() / seconds as f64;
            if part > 0.3 && !copied {
                tracker.copy("copy.db", "tracker.db");
                copied = true;
            } else if part > 0.6 && copied && !restored {
                tracker.copy("tracker.db", "copy.db");
                restored = true;
            }
            tracker.again();
        }
        if !restored {
            tracker.kill();
            tracker.copy("tracker.db", "copy.db");
            tracker.again();
        }
        over.store(true, Ordering::Relaxed);
    });
    // Said before anything is compared: whoever looks for a fault needs them most when the comparison fails.
    for (fault, times) in proxy.counts() {
        println!("{times:>8}  {fault}");
    }
    let (took, killed) = (begun.elapsed().as_secs(), killed.into_inner());
    println!("{took} s, {killed} shells and {restarts} trackers killed, 1 tracker restored from an older copy");
    proxy.heal();
    for place in &places {
        deliver_the_rest(place, &url);
    }
    let events = runtime.block_on(compare(&tracker.directory.join("tracker.db"), &places));
    println!("{events} events, each in the tracker once");
}

/// How many events the shells have recorded. Nothing is pruned here, so that a journal's last position is its number.
fn written(places: &[Place]) -> u64 {
    let begun = places.iter().filter(|place| place.database().exists());
    begun.map(|place| place.ask(async |journal| journal.head().await.unwrap().position)).sum()
}

fn deliver_the_rest(place: &Place, url: &str) {
    let mut last = None;
    for _ in 0..10 {
        let deliver = place.program(Path::new(env!("CARGO_BIN_EXE_session-tracker")));
        let deliver = deliver.env("ADMIN_SHELL_SINK", url).env("ADMIN_SHELL_SECRET", SECRET);
        let ran = deliver.args(["journal", "deliver", "--format", "json"]).run();
        if ran.code() == Some(0) && ran.out.contains("\"backlog\":0") {
            return;
        }
        last = Some(ran);
        std::thread::sleep(Duration::from_millis(300));
    }
    panic!("not everything is delivered: {last:?}");
}

/// The tracker's events against the union of the journals. Answers how many there are.
///
/// Read by SQL, past everything of ours that might be wrong on both sides alike.
async fn compare(tracker: &Path, places: &[Place]) -> usize {
    let mut there = rows(tracker).await;
    let journal = SqliteJournal::open(tracker.to_str().unwrap()).await.unwrap();
    there.retain(|(stream, _), _| stream != journal.id().as_str());
    let mut events = 0;
    for place in places {
        let journal = SqliteJournal::open(place.database().to_str().unwrap()).await.unwrap();
        assert!(journal.buried(None).await.unwrap().is_empty());
        for (key, here) in rows(&place.database()).await {
            let there = there.remove(&key).unwrap_or_else(|| panic!("{key:?} did not arrive"));
            assert_eq!(here, there, "{key:?}");
            events += 1;
        }
    }
    assert!(there.is_empty(), "nobody knows of {:?}", there.keys().collect::<Vec<_>>());
    let report = journal.verify(None).await.unwrap();
    assert!(report.faults.is_empty(), "{:?}", report.faults);
    events
}

/// Every event that a database holds: its sealed text by stream and place. Two at one place are one too many.
async fn rows(database: &Path) -> BTreeMap<(String, i64), Option<String>> {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database).read_only(true);
    let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    let sql = "SELECT s.name, e.seq, e.text FROM events e JOIN streams s ON s.id = e.stream";
    let rows: Vec<(String, i64, Option<String>)> = sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap();
    let count = rows.len();
    let rows: BTreeMap<_, _> = rows.into_iter().map(|(stream, seq, text)| ((stream, seq), text)).collect();
    assert_eq!(rows.len(), count, "{} holds an event twice", database.display());
    rows
}
