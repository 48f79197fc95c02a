//! The shortest shell: one helper, tracked with no configuration.

use admin_shell::{AdminShell, Cx, Helpers, Result, Shell};

struct Greeter {
    greeting: String,
}

impl AdminShell for Greeter {
    const COMPONENT: &'static str = "greeter";

    fn helpers(helpers: &mut Helpers<Self>) {
        helpers
            .read("greet", "Greets someone by name.")
            .param("name", "Whom to greet.")
            .example(r#"greet("Ada")"#)
            .run(greet);
    }
}

async fn greet(cx: Cx<Greeter>, name: String) -> Result<String> {
    Ok(format!("{}, {name}!", cx.greeting))
}

fn main() -> std::process::ExitCode {
    admin_shell::main(async || Ok(Shell::new(Greeter { greeting: "Hello".into() })))
}
