//! `format_code`: shows first, changes after, and is a change like any other.

use admin_shell::{
    Effect, Shell,
    testing::{Faults, TestShell},
};
use inspector::{Inspector, Settings};

use crate::place::Place;

fn shell(place: &Place) -> Shell<Inspector> {
    let tree = Some(place.tree().display().to_string());
    Shell::new(Inspector::new(Settings { tree, ..Settings::default() }).unwrap())
}

#[test]
fn the_diff_comes_first() {
    let place = Place::planted("python");
    let before = place.read("app/layout.py");
    let shown = place.shown("show_format()");
    assert!(shown.contains("-x = {  'a':1,\n- 'b' : 2 }\n+\n+x = {\"a\": 1, \"b\": 2}"), "{shown}");
    assert_eq!(place.read("app/layout.py"), before, "nothing is changed by looking");
    let shown = place.shown("format_code()");
    assert!(shown.contains("+x = {\"a\": 1, \"b\": 2}") && shown.contains("app/layout.py"), "{shown}");
    assert_eq!(place.read("app/layout.py"), "\"\"\"A layout that nobody wants.\"\"\"\n\nx = {\"a\": 1, \"b\": 2}\n");
    assert!(place.shown("show_format()").contains("nothing to change"));
}

#[test]
fn prettier_and_rustfmt() {
    let place = Place::planted("javascript");
    let shown = place.shown("format_code()");
    assert!(shown.contains("-  return list[0]\n+  return list[0];"), "{shown}");
    assert!(place.read("src/list.js").contains("return list[0];"));
    let place = Place::planted("rust");
    place.shown("format_code()");
    assert!(place.read("src/lib.rs").contains("pub fn add(left: i32, right: i32) -> i32 {"));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_a_write() {
    let place = Place::planted("python");
    let before = place.read("app/layout.py");
    let read_only = TestShell::read_only(shell(&place)).await;
    let failure = read_only.run("format_code()").await.fails();
    assert!(failure.contains("read-only"), "{failure}");
    for name in ["format_code", "export", "open"] {
        assert_eq!(read_only.session().registry().get(name).unwrap().effect, Effect::Write, "{name}");
    }
    let faults = Faults::new();
    let unrecorded = TestShell::with_faults(shell(&place), &faults).await;
    unrecorded.run("1").await;
    faults.break_down();
    assert!(unrecorded.run("format_code()").await.failure().is_some());
    assert_eq!(place.read("app/layout.py"), before, "what is not recorded does not happen");
}
