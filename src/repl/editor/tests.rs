//! The editor on a real terminal: a pseudo-terminal with this test binary itself at the other end.
//!
//! rustyline draws a line again at every key, so what is compared is the screen as vt100 shows it, never the bytes.

use std::{
    io::{Read as _, Write},
    num::NonZero,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use portable_pty::{CommandBuilder, MasterPty, NativePtySystem, PtySize, PtySystem};

use super::*;
use crate::{
    repl::{
        console::TerminalConsole,
        screen::{Screen, Stream},
        terminal::TerminalGuard,
    },
    session::{Console, Question},
};

/// Set for the process at the other end; its value is the path of the history file.
const CHILD: &str = "ADMIN_SHELL_TEST_EDITOR";

const ROWS: NonZero<u16> = NonZero::new(40).unwrap();
const COLUMNS: NonZero<u16> = NonZero::new(80).unwrap();

/// A busy machine needs some; a test that fails takes all of it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Arguments of this binary that make it the process at the other end.
const OTHER_END: [&str; 4] = ["--exact", "repl::editor::tests::other_end", "--nocapture", "--test-threads=1"];

/// Not a test by itself: what runs at the other end of the terminal.
#[test]
fn other_end() {
    let Some(history) = std::env::var_os(CHILD) else { return };
    let guard = TerminalGuard::save().unwrap();
    let complete = |line: &str, at: usize| {
        let start = line[..at].rfind([' ', '(']).map_or(0, |blank| blank + 1);
        let words = ["show", "submit", "sync"].into_iter().filter(|word| word.starts_with(&line[start..at]));
        let candidate =
            |word: &str| Candidate { start, replacement: word.into(), display: format!("{word}()"), doc: None };
        words.map(candidate).collect()
    };
    let check = |text: &str| text.matches('(').count() <= text.matches(')').count();
    let mut editor = LineEditor::open(complete, check, Some(history.into())).unwrap();
    let notices = editor.notices().unwrap();
    let screen = Screen::new(Stream::Out);
    let mut console = TerminalConsole::new(screen.clone());
    screen.show_lines("\nready");
    loop {
        screen.end_line();
        match editor.read("> ") {
            Read::Line(line) => {
                editor.add_history(&line);
                match line.as_str() {
                    "notice" => {
                        let notices = notices.clone();
                        thread::spawn(move || {
                            thread::sleep(Duration::from_millis(300));
                            notices.show("tracker connected\u{1b}[2J")
                        });
                    }
                    "die" => {
                        let guard = guard.clone();
                        thread::spawn(move || {
                            thread::sleep(Duration::from_millis(300));
                            guard.restore();
                            std::process::exit(7);
                        });
                    }
                    "secret" => {
                        let secret = console.secret("token");
                        screen.show_lines(&format!("secret of {:?}", secret.map(|secret| secret.len())));
                    }
                    "destroy" => {
                        let question = Question { call: "cancel(1)".into(), because: "it stops".into(), preview: None };
                        let reason = console.ask(&question);
                        screen.show_lines(&format!("reason {reason:?}"));
                    }
                    _ => console.print(&format!("line {line:?}")),
                }
            }
            Read::Interrupted => screen.show_lines("interrupted"),
            other => {
                let end = std::env::var(CHILD).unwrap() + ".end";
                std::fs::write(end.clone() + "-new", format!("{other:?}")).unwrap();
                std::fs::rename(end.clone() + "-new", end).unwrap();
                screen.show_lines(&format!("end {other:?}"));
                std::process::exit(0);
            }
        }
    }
}

#[test]
fn an_editor_may_read_on_a_thread_of_its_own() {
    fn is_send<T: Send>() {}
    is_send::<LineEditor>();
    is_send::<Notices>();
}

#[test]
fn offers_are_safe_to_show_and_to_insert() {
    let candidate = |start, replacement: &str| Candidate {
        start,
        replacement: replacement.into(),
        display: format!("{replacement}\u{1b}"),
        doc: None,
    };
    let (start, pairs) = offers(vec![candidate(1, "one"), candidate(0, "two"), candidate(1, "th\u{1b}ree")], "x", 1);
    let pairs: Vec<_> = pairs.iter().map(|pair| (pair.replacement.as_str(), pair.display.as_str())).collect();
    assert_eq!((start, pairs), (1, vec![("one", "one\\u{1b}")]));
    for (start, line, at) in [(2, "x", 1), (1, "é", 2)] {
        assert_eq!(offers(vec![candidate(start, "one")], line, at).1.len(), 0);
    }
    let many = (0..70_000).map(|n| candidate(0, &n.to_string())).collect();
    assert_eq!(offers(many, "", 0).1.len(), 1000);
}

struct Terminal {
    keys: Box<dyn Write + Send>,
    master: Box<dyn MasterPty + Send>,
    screen: Arc<Mutex<vt100::Parser>>,
    child: Box<dyn portable_pty::Child + Send + Sync>,
    directory: tempfile::TempDir,
}

impl Terminal {
    fn open() -> Self {
        Self::with_history("")
    }

    fn with_history(entries: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let history = directory.path().join("history");
        std::fs::write(&history, entries).unwrap();
        let size = PtySize { rows: ROWS.get(), cols: COLUMNS.get(), pixel_width: 0, pixel_height: 0 };
        let pair = NativePtySystem::default().openpty(size).unwrap();
        let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
        command.args(OTHER_END);
        command.env(CHILD, &history);
        command.env("TERM", "xterm-256color");
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(ROWS, COLUMNS, 0)));
        let (mut output, shown) = (pair.master.try_clone_reader().unwrap(), Arc::clone(&screen));
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                shown.lock().unwrap().process(&bytes[..count]);
            }
        });
        let keys = pair.master.take_writer().unwrap();
        let mut terminal = Self { keys, master: pair.master, screen, child, directory };
        terminal.shows("ready\n>");
        terminal
    }

    fn types(&mut self, keys: &str) -> &mut Self {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self
    }

    /// Waits until the text stands on the screen.
    #[track_caller]
    fn shows(&mut self, expected: &str) -> &mut Self {
        let start = Instant::now();
        while !self.text().contains(expected) {
            assert!(start.elapsed() < PATIENCE, "no {expected:?} in:\n{}", self.text());
            thread::sleep(Duration::from_millis(5));
        }
        self
    }

    fn text(&self) -> String {
        let screen = self.screen.lock().unwrap();
        let rows: Vec<_> = screen.screen().rows(0, COLUMNS.get()).map(|row| row.trim_end().to_owned()).collect();
        rows.join("\n").trim_end().to_owned()
    }

    /// Waits until the process at the other end is gone.
    fn ends(&mut self) -> u32 {
        self.child.wait().unwrap().exit_code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

#[test]
fn reads_inputs_of_several_lines() {
    let mut terminal = Terminal::open();
    terminal.types("f(\r").shows("> f(").types("1)\r").shows("line \"f(\\n1)\"");
    terminal.types("\u{3}").shows("interrupted");
    terminal.types("half(\u{3}").shows("> half(\ninterrupted\n>");
    terminal.types("whole\r").shows("line \"whole\"");
    terminal.types("\u{4}").shows("end Eof");
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn keeps_what_is_typed_ahead() {
    let mut terminal = Terminal::open();
    let keys: String = (0..200).map(|n| format!("{n}\r")).collect();
    terminal.types(&keys).shows("line \"199\"");
    let history = std::fs::read_to_string(terminal.directory.path().join("history")).unwrap();
    assert_eq!(history.lines().collect::<Vec<_>>(), (0..200).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn completes_and_remembers() {
    let mut terminal = Terminal::with_history("from before\n");
    terminal.types("sh\t").shows("> show").types("\r").shows("line \"show\"");
    terminal.types("s\t").shows("show()    submit()  sync()").types("\u{3}").shows("interrupted");
    terminal.types("\u{1b}[A").shows("interrupted\n> show").types("\u{1b}[A\r").shows("line \"from before\"");
}

#[test]
fn pasted_text_is_shown_and_not_obeyed() {
    let mut terminal = Terminal::open();
    terminal.types("\u{1b}[200~one\rtwo\u{7}\u{1b}[201~").shows("> one\ntwo␇");
    terminal.types("\r").shows("line \"one\\ntwo\\u{7}\"");
}

#[test]
fn notices_stand_above_the_prompt() {
    let mut terminal = Terminal::open();
    terminal.types("notice\r").types("typing").shows("tracker connected\\u{1b}[2J\n> typing");
    terminal.types("\r").shows("line \"typing\"");
}

#[test]
fn secrets_are_not_shown() {
    let mut terminal = Terminal::open();
    terminal.types("secret\r").shows("token:").types("hunter2\r").shows("secret of Some(7)");
    assert!(!terminal.text().contains("hunter2"), "{}", terminal.text());
    terminal.types("secret\r").shows("Some(7)\n> secret\ntoken:").types("x\u{3}").shows("secret of None");
    terminal.types("go on\r").shows("line \"go on\"");
}

#[test]
fn nobody_confirms_before_the_question() {
    let mut terminal = Terminal::open();
    terminal.types("destroy\r").shows("Type yes to run it:").types("yes\r").shows("Reason, for the record:");
    terminal.types("it hangs\r").shows("reason Some(\"it hangs\")");
    // What was typed ahead goes to the prompt, where it was meant to go, and answers no question.
    terminal
        .types("destroy\ryes\rno question\r")
        .shows("it hangs\")\n> destroy\ncancel(1)\n  it stops\nType yes to run it:");
    terminal.types("\u{3}").shows("Not run.\nreason None\n> yes\nline \"yes\"\n> no question\nline \"no question\"");
}

#[test]
fn a_process_that_exits_while_reading_leaves_the_terminal_as_it_was() {
    let mut terminal = Terminal::open();
    assert!(!is_canonical(&*terminal.master));
    terminal.types("die\r").shows("> die\n>").types("unfinished");
    assert_eq!(terminal.ends(), 7);
    assert!(is_canonical(&*terminal.master));
}

fn is_canonical(master: &(dyn MasterPty + Send)) -> bool {
    use nix::sys::termios::LocalFlags;
    let wanted = (LocalFlags::ICANON | LocalFlags::ECHO).bits();
    master.get_termios().unwrap().local_flags.bits() & wanted == wanted
}

#[test]
fn a_closed_terminal_is_a_hangup() {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    // Not the fixture: portable-pty types Ctrl-D before it closes a terminal. And no controlling terminal: its signal would
    // end the process before the editor sees anything.
    let directory = tempfile::tempdir().unwrap();
    let (history, end) = (directory.path().join("history"), directory.path().join("history.end"));
    let pty = nix::pty::openpty(None, None).unwrap();
    // A terminal is closed when nobody holds it, the process at its other end included.
    fcntl(&pty.master, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(OTHER_END).env(CHILD, &history).env("TERM", "xterm-256color");
    child.stdin(pty.slave.try_clone().unwrap()).stdout(pty.slave).stderr(std::process::Stdio::null());
    let mut running = child.spawn().unwrap();
    // It holds the other copies of the terminal's end.
    drop(child);
    let mut master = std::fs::File::from(pty.master);
    let mut shown = String::new();
    while !shown.contains("> ") {
        let mut bytes = [0; 1024];
        let count = master.read(&mut bytes).unwrap();
        shown.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    drop(master);
    let start = Instant::now();
    while !end.exists() && start.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(5));
    }
    let _ = running.kill();
    running.wait().unwrap();
    assert_eq!(std::fs::read_to_string(end).unwrap(), "Hangup");
}
