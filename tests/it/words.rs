//! What is wrong is told in our words: one sentence, the place, one hint; never in the language's own.

use admin_shell::testing::TestShell;

use super::desk::desk;

async fn told(shell: &TestShell, code: &str) -> (String, String, String, Option<(usize, usize)>) {
    let failure = shell.run(code).await.outcome.failure.unwrap_or_else(|| panic!("{code} does not fail"));
    let at = failure.at.as_ref().map(|at| (at.line, at.column));
    (failure.kind, failure.message, failure.hint.unwrap_or_default(), at)
}

#[tokio::test]
async fn each_error_has_a_place_and_a_hint() {
    let (shell, _) = desk().await;
    let mut wrong = Vec::new();
    for (code, message, hint, line, column) in [
        ("exit(300)", "`exit` wants an integer from 0 to 255", "write exit() when all is well, exit(1) when not", 1, 6),
        ("sleep(-1)", "`sleep` wants 0 to 86400 seconds", "write sleep(2), sleep(0.5)", 1, 7),
        (
            "[1, 2][5]",
            "the list has 2 items, and there is none at 5",
            "the first item is [0], the last [1] or [-1]",
            1,
            8,
        ),
        ("let l = []; l[0]", "the list is empty, and there is none at 0", "value.len() says how many", 1, 15),
        ("show(\"nope\")", "`show` failed: there is no run nope", "help(\"show\") says what it takes", 1, 1),
        ("errors(300)", "`limit` of `errors` wants an integer from 0 to 255, got 300", "write errors(", 1, 8),
        ("errors(1, \"x\")", "`order` of `errors` wants", "write errors(", 1, 11),
        ("errors(#{limit: 300})", "got 300", "write errors(", 1, 17),
        ("errors(#{limits: 3})", "`errors` has no option `limits`", "did you mean `limit`?", 1, 10),
        ("errors(1, (), 3)", "`errors` takes", "write errors(", 1, 15),
        ("let a = 1;\nerrors(\n  300)", "got 300", "write errors(", 3, 3),
        ("300.errors()", "got 300", "write errors(", 1, 5),
        ("ps() # all", "`#` begins no comment", "a comment begins with //", 1, 6),
        ("# all of them", "`#` begins no comment", "a comment begins with //", 1, 1),
        ("help(\"shw\")", "there is no helper `shw`", "did you mean `show`?", 1, 1),
        ("help(\"zzzzzz\")", "there is no helper `zzzzzz`", "help() lists them all", 1, 1),
        ("let x = 1 let y = 2", "`;` is missing between two statements", "put `;` between them", 1, 11),
        ("[1, 2", "`]` is missing", "each [ wants its ]", 1, 6),
        ("1 / 0", "division by zero", "check the divisor first", 1, 3),
        ("9223372036854775807 + 1", "the number grows too large", "1.0 instead of 1", 1, 21),
        ("parse_int(\"x\")", "\"x\" is no number", "numbers are 42", 1, 1),
        ("const A = 1; A = 2", "`A` is a constant", "let A = … makes a variable", 1, 14),
        ("for x in 5 { }", "this can not be gone through", "`for` goes through lists", 1, 10),
        ("let s = \"abc", "a string is not closed", "add a closing quote", 1, 9),
        ("break", "there is no loop here", "belong into a loop", 1, 1),
        ("fn f() { fn g() {} }", "a function is defined inside of something else", "|a, b|", 1, 10),
        ("let a = 1 === 1", "`===` is no operator", "write ==", 1, 11),
        ("#{a: 1, a: 2}", "the record has the field `a` twice", "leave one of them out", 1, 9),
        ("throw \"no\"", "no", "with `throw`", 1, 1),
        ("this", "`this` is nothing here", "value.f()", 1, 1),
        ("let r = #{a: 1}; r.b", "there is no field `b`", "record.get(\"b\")", 1, 20),
        ("5.upper()", "there is no function `upper`", "help() lists the helpers", 1, 3),
        ("def f(x):", "`def` is not written like this", "fn name(a, b) { … }", 1, 5),
        ("import \"nope\" as n", "there is no module `nope`", "script directory", 1, 8),
        ("let x = 'ab'", "only one character can stand in single quotes", "double quotes", 1, 9),
        ("errors --limit 300", "got 300", "write errors(", 1, 16),
        ("errors --limits 3", "has no option `--limits`", "did you mean `--limit`?", 1, 8),
        ("errors 300", "got 300", "write errors(", 1, 8),
        ("exit 400", "`exit` wants an integer from 0 to 255", "write exit()", 1, 6),
        ("help shw", "there is no helper `shw`", "did you mean `show`?", 1, 6),
    ] {
        let (_, said, hinted, at) = told(&shell, code).await;
        if !said.contains(message) || !hinted.contains(hint) || at != Some((line, column)) {
            wrong.push(format!("{code:?} → {said:?}, {hinted:?}, {at:?} instead of {:?}", (line, column)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_limit_says_where_it_was_met() {
    let (shell, _) = desk().await;
    let (kind, _, hint, at) = told(&shell, "let n = 0;\nloop { n += 1; }").await;
    assert_eq!((kind.as_str(), hint.as_str()), ("limit", "do less in one command"));
    assert_eq!(at.map(|(line, _)| line), Some(2));
}

#[tokio::test]
async fn leaving_in_command_style() {
    let (shell, _) = desk().await;
    assert_eq!(shell.run("exit 4").await.outcome.exit, Some(4));
}
