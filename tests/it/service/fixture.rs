//! A tracker that runs, and a shell's journal whose events reach it.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use admin_shell::{
    event::Event,
    journal::{Journal, SqliteJournal},
    token::{Claims, LIFETIME, Scope, Secret},
};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::{cli::process::Home, journal::fixture::Writing};

/// The secret of every tracker here.
pub(crate) const SECRET: &str = "pX3k9vLq0sWm7TzR2bYc5NdJ8hGf4uEa";

/// A tracker, and its home. Killed when the test is over.
pub(crate) struct Service {
    home: Option<Home>,
    pub(crate) url: String,
    child: Option<Child>,
    said: Arc<Mutex<String>>,
}

impl Service {
    /// One that asks for tokens.
    pub(crate) fn with_secret() -> Self {
        Self::start(Home::new(), &[], &[("SESSION_TRACKER_SECRET", SECRET)])
    }

    /// One that lets everybody in.
    pub(crate) fn open() -> Self {
        Self::start(Home::new(), &[], &[])
    }

    /// One with these options and variables, on a port of its own.
    pub(crate) fn start(home: Home, args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_session-tracker"));
        command.env_clear().envs(
            ["data", "state", "config"].map(|kind| (format!("XDG_{}_HOME", kind.to_uppercase()), home.path(kind))),
        );
        for kept in ["PATH", "LLVM_PROFILE_FILE"] {
            command.envs(std::env::var_os(kept).map(|value| (kept, value)));
        }
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(args).envs(env.iter().copied());
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the tracker starts");
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let mut said = String::new();
        let url = loop {
            let line = lines.next().unwrap_or_else(|| panic!("it did not start: {said}")).expect("UTF-8");
            said.push_str(&line);
            said.push('\n');
            if let Some((_, rest)) = line.split_once("listens on ") {
                break rest.split(',').next().expect("a URL").to_owned();
            }
        };
        let said = Arc::new(Mutex::new(said));
        let log = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                *log.lock().unwrap() += &(line + "\n");
            }
        });
        Self { home: Some(home), url, child: Some(child), said }
    }

    /// What it has said until now, log and all.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        client().get(format!("{}{path}", self.url))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        client().post(format!("{}{path}", self.url)).json(body)
    }

    /// Sends a batch of sealed events.
    pub(crate) fn batch(&self, events: &[Event]) -> RequestBuilder {
        let texts: Vec<&str> = events.iter().map(Event::text).collect();
        self.post("/api/v1/events", &json!({ "events": texts }))
    }

    pub(crate) fn home(&self) -> &Home {
        self.home.as_ref().expect("it has its home until it is taken apart")
    }

    /// The process, to be ended otherwise than by dropping this, and the home that it leaves.
    pub(crate) fn into_parts(mut self) -> (Home, Child) {
        (self.home.take().expect("it has a home"), self.child.take().expect("it has a process"))
    }

    /// How many events its journal holds.
    pub(crate) async fn stored(&self) -> u64 {
        self.home().journal().await.status().await.expect("the journal is read").events
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(self.child.as_ref().expect("it runs")), signal)
            .expect("it is there");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// One client for all, since making one takes longer than most requests. It keeps no connection: each test has a runtime
/// of its own, with which its connections end.
pub(crate) fn client() -> Client {
    static CLIENT: LazyLock<Client> = LazyLock::new(|| {
        let client = Client::builder().timeout(Duration::from_secs(60)).pool_max_idle_per_host(0).no_proxy();
        client.build().expect("a client")
    });
    CLIENT.clone()
}

/// A token of the service's secret.
pub(crate) fn token(subject: &str, scopes: &[Scope], component: Option<&str>) -> String {
    Claims::new("admin-shell", subject, scopes, component, LIFETIME).mint(&Secret::new(SECRET).expect("a good secret"))
}

/// A token that reads.
pub(crate) fn reader() -> String {
    token("ada", &[Scope::SessionsRead, Scope::MetricsRead], None)
}

/// A journal of a shell on some other machine.
pub(crate) async fn elsewhere() -> SqliteJournal {
    SqliteJournal::in_memory().await.expect("a journal in memory")
}

/// A session of a component, from its start to its end, as another journal recorded it.
pub(crate) async fn session(journal: &SqliteJournal, component: &str, commands: u64) -> Vec<Event> {
    Writing::new(component).whole(journal, 0, commands).await
}

/// The answer's status and its JSON; a problem document is checked to be one.
pub(crate) async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.expect("the tracker answers");
    let status = answer.status();
    let kind = answer.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned()).unwrap_or_default();
    let text = answer.text().await.expect("the whole answer");
    let value: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON ({status}): {text}"));
    if status.is_client_error() || status.is_server_error() {
        assert_eq!(kind, "application/problem+json", "{text}");
        assert_eq!(value["status"], status.as_u16(), "{text}");
        for member in ["type", "title", "detail"] {
            assert!(value[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {text}");
        }
    }
    (status, value)
}
