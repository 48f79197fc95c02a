//! A real Postgres for tests: made in a directory of its own, run by a user without rights, reached by loopback only.
//!
//! It is stopped and removed when the test program ends, however it ends: a shell waits for the end of a pipe that nobody
//! but this process holds. Where Postgres is not installed, tests fail and say what to install.

use std::{
    fs,
    io::Write,
    net::TcpListener,
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use nix::unistd::{User, geteuid};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

/// What a server is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disk {
    /// Nobody cuts the power of a test.
    Trusted,
    /// What is committed is on the disk.
    Synced,
}

/// A server that runs.
pub(crate) struct Server {
    directory: PathBuf,
    programs: PathBuf,
    user: Option<User>,
    port: u16,
    password: String,
    /// When its standard input is closed, it stops the server and removes the directory.
    watch: Child,
}

static DATABASES: AtomicU32 = AtomicU32::new(0);

impl Server {
    /// The server that all tests share which do nothing to it.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(Disk::Trusted))
    }

    /// Starts a server.
    pub(crate) fn start(disk: Disk) -> Self {
        let programs = programs();
        let user = geteuid().is_root().then(unprivileged);
        let directory = tempfile::Builder::new().prefix("postgres-").tempdir().expect("a directory").keep();
        if let Some(user) = &user {
            chown(&directory, Some(user.uid.as_raw()), Some(user.gid.as_raw())).expect("the directory is given away");
        }
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).expect("only its user may look");
        let watch = watch(&programs, &directory, user.as_ref());
        let password = uuid::Uuid::now_v7().simple().to_string();
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its number").port();
        let mut server = Self { directory, programs, user, port, password, watch };
        server.make(disk);
        for _ in 0..5 {
            if server.command("pg_ctl").args(["-w", "-t", "60", "-s", "start"]).status().expect("pg_ctl").success() {
                return server;
            }
            // Somebody else has taken the port meanwhile.
            server.port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its number").port();
            server.configure(&format!("port = {}", server.port));
        }
        let log = fs::read_to_string(server.directory.join("log")).unwrap_or_default();
        panic!("Postgres does not start:\n{log}");
    }

    fn make(&self, disk: Disk) {
        let password = self.directory.join("password");
        fs::write(&password, &self.password).expect("written");
        fs::set_permissions(&password, fs::Permissions::from_mode(0o644)).expect("its user may read it");
        let made = self
            .command("initdb")
            .args(["-U", "admin", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "-N", "--pwfile"])
            .arg(&password)
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        fs::remove_file(&password).expect("removed");
        let sync = if disk == Disk::Trusted { "off" } else { "on" };
        self.configure(&format!(
            "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nport = {}\nfsync = {sync}\n\
             full_page_writes = {sync}\nmax_connections = 200\nlogging_collector = off\nlog_min_messages = warning\n\
             shared_buffers = 128MB\nmax_wal_size = 4GB",
            self.port
        ));
    }

    fn configure(&self, lines: &str) {
        let path = self.directory.join("data/postgresql.conf");
        let mut file = fs::OpenOptions::new().append(true).open(path).expect("the configuration");
        writeln!(file, "{lines}").expect("written");
    }

    /// One of Postgres' own programs, for this server's data.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir("/").stdin(Stdio::null()).env("PGDATA", self.directory.join("data"));
        if program == "pg_ctl" {
            command.arg("-l").arg(self.directory.join("log")).stdout(Stdio::null());
        }
        if let Some(user) = &self.user {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
    }

    /// Kills every process of the server at once and starts it again, as after a crash.
    pub(crate) fn crash(&self) {
        let done = self.command("pg_ctl").args(["-w", "-t", "60", "-s", "-m", "immediate", "restart"]).status();
        assert!(done.expect("pg_ctl").success(), "Postgres comes up again");
    }

    /// Stops it; connections are cut.
    pub(crate) fn stop(&self) {
        let done = self.command("pg_ctl").args(["-w", "-s", "-m", "immediate", "stop"]).status();
        assert!(done.expect("pg_ctl").success(), "Postgres stops");
    }

    /// Starts it after [`stop`](Self::stop).
    pub(crate) fn start_again(&self) {
        let done = self.command("pg_ctl").args(["-w", "-t", "60", "-s", "start"]).status();
        assert!(done.expect("pg_ctl").success(), "Postgres comes up again");
    }

    /// Has it offer TLS with a certificate and a key, and take no connection without.
    #[cfg_attr(not(feature = "tracker"), allow(dead_code, reason = "what needs it needs a tracker"))]
    pub(crate) fn wants_tls(&self, certificate: &Path, key: &Path) {
        for (from, to) in [(certificate, "server.crt"), (key, "server.key")] {
            let to = self.directory.join("data").join(to);
            fs::copy(from, &to).expect("copied");
            fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).expect("only its user may look");
            if let Some(user) = &self.user {
                chown(&to, Some(user.uid.as_raw()), Some(user.gid.as_raw())).expect("given away");
            }
        }
        self.configure("ssl = on");
        let rules = "hostssl all all 127.0.0.1/32 scram-sha-256\n";
        fs::write(self.directory.join("data/pg_hba.conf"), rules).expect("written");
        self.crash();
    }

    pub(crate) fn password(&self) -> &str {
        &self.password
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        self.url_by(self.port, database)
    }

    /// The URL of a database by another way.
    pub(crate) fn url_by(&self, port: u16, database: &str) -> String {
        format!("postgres://admin:{}@127.0.0.1:{port}/{database}", self.password)
    }

    /// A connection to a database, for what only the server's owner does.
    pub(crate) async fn connect(&self, database: &str) -> PgConnection {
        PgConnection::connect(&self.url(database)).await.expect("a connection")
    }

    /// Makes an empty database; answers its name.
    pub(crate) async fn database(&self) -> String {
        let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let mut connection = self.connect("postgres").await;
        connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.expect("a database");
        connection.close().await.expect("closed");
        name
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.watch.stdin.take());
        let _ = self.watch.wait();
    }
}

/// The directory of Postgres' programs.
fn programs() -> PathBuf {
    let version = |path: &PathBuf| path.parent()?.file_name()?.to_str()?.split('.').next()?.parse::<u32>().ok();
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = installed.map(|entry| entry.path().join("bin")).collect();
    found.sort_by_key(version);
    found.reverse();
    found.extend(std::env::split_paths(&path));
    let found = found.into_iter().find(|directory| ["initdb", "pg_ctl"].iter().all(|p| directory.join(p).exists()));
    found
        .expect("Postgres is not installed: on Debian `apt-get install postgresql`, elsewhere put `initdb` on the PATH")
}

/// Postgres refuses to be run by root.
fn unprivileged() -> User {
    let user = |name| User::from_name(name).ok().flatten();
    user("postgres").or_else(|| user("nobody")).expect("root needs the user `postgres` or `nobody` to run Postgres as")
}

/// Stops and removes the server when this process is gone.
fn watch(programs: &Path, directory: &Path, user: Option<&User>) -> Child {
    const SCRIPT: &str = r#"cat >/dev/null; "$1/pg_ctl" -D "$2/data" -w -s -m immediate stop; rm -rf "$2""#;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", SCRIPT, "sh"]).arg(programs).arg(directory).current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // Not of our group: Ctrl-C is for the tests.
    command.process_group(0);
    if let Some(user) = user {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command.spawn().expect("a shell")
}
