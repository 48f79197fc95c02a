//! The names of helpers belong to the helpers: what a script may not do with them.
//!
//! A function with a helper's name would be called instead of it, past the door. A bare helper name that a function
//! captures would run where the function is made, and not where it is called; an assignment would run it first.

use rhai::{AST, ASTNode, Expr, Position, Scope, Stmt};

use super::engine::Stage;
use crate::console::Failure;

/// The names that every shell has itself.
pub(super) const OURS: &[&str] = &["help", "session", "exit", "sleep", "print", "debug"];

/// Refuses what takes the name of a helper. `scope` holds the variables of earlier inputs: a variable may have a
/// helper's name, and then it is the variable that is meant.
pub(super) fn refuse_taken(ast: &AST, stage: &Stage, scope: Option<&Scope<'_>>) -> Result<(), (Failure, Position)> {
    for function in ast.iter_functions() {
        if stage.helpers.contains_key(function.name) || OURS.contains(&function.name) {
            let message = format!("`{}` is a helper of this shell: a function can not have its name", function.name);
            return Err((Failure::new("shadowing", message).hint("give the function another name"), Position::NONE));
        }
    }
    let is_bare_helper =
        |name: &str| stage.helpers.contains_key(name) && scope.is_none_or(|scope| !scope.contains(name));
    let mut fault = None;
    ast.walk(&mut |path: &[ASTNode<'_>]| {
        fault = match path.last() {
            Some(ASTNode::Stmt(Stmt::Share(captured))) => {
                captured.iter().find(|(name, index)| index.is_none() && is_bare_helper(&name.name)).map(|(name, _)| {
                    let message = format!("`{}` in a function wants its parentheses", name.name);
                    (Failure::new("shadowing", message).hint(format!("write {}()", name.name)), name.pos)
                })
            }
            Some(ASTNode::Stmt(Stmt::Assignment(assignment))) => match &assignment.1.lhs {
                Expr::Variable(variable, None, _) if variable.0.is_none() && is_bare_helper(&variable.1) => {
                    let message = format!("`{}` is a helper of this shell, not a variable", variable.1);
                    let hint = format!("let {} = … makes a variable of that name", variable.1);
                    Some((Failure::new("shadowing", message).hint(hint), assignment.1.lhs.position()))
                }
                _ => None,
            },
            _ => None,
        };
        fault.is_none()
    });
    fault.map_or(Ok(()), Err)
}
