//! Programs of others that tests hold the tracker against: schemathesis, Prometheus. A test that can not have its program
//! fails and says how to get it.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

/// A program of a Python package, installed below the target directory when it is not there yet.
pub(crate) fn python(package: &str, program: &str) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("python-{program}"));
    let path = venv.join("bin").join(program);
    if !path.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv), "python3 with its module venv is needed");
        let mut pip = Command::new(venv.join("bin/pip"));
        run(pip.args(["install", "--quiet", "--disable-pip-version-check", package]), "pip installs it from PyPI");
    }
    assert!(path.exists(), "{package} installs no {program}");
    path
}

/// A program of the system.
pub(crate) fn system(program: &str) -> Command {
    let found = Command::new(program).arg("--version").output();
    assert!(
        found.is_ok_and(|found| found.status.success()),
        "{program} is missing: scripts/test installs it; on Debian: apt-get install prometheus"
    );
    Command::new(program)
}

/// A certificate that signs itself and is for 127.0.0.1, and its key, both PEM, in a directory.
pub(crate) fn certificate(directory: &Path) -> (PathBuf, PathBuf) {
    let (certificate, key) = (directory.join("cert.pem"), directory.join("key.pem"));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]);
    openssl.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]);
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    run(openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate), "these tests need `openssl`");
    (certificate, key)
}

fn run(command: &mut Command, hint: &str) {
    let ran = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}: {hint}"));
    assert!(ran.status.success(), "{command:?}: {hint}\n{}", String::from_utf8_lossy(&ran.stderr));
}
