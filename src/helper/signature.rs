//! Which functions are helpers: `async fn(Cx<S>, A, B, …)`, and with [`Approved`] second where they destroy.

use super::{Asks, Cx, Plain};
use crate::policy::Approved;

/// The shape of a helper function. It says nothing about its argument types, so that the compiler can infer them first
/// and then name the one that does not fit.
pub trait Signature<S, E, Args>: Send + Sync + 'static {
    /// What the function returns.
    type Fut;
    /// Calls the function.
    fn invoke(&self, cx: Cx<S>, approved: Option<Approved>, args: Args) -> Self::Fut;
}

macro_rules! signature {
    ($($arg:ident),*) => {
        impl<S, Func, Fut, $($arg),*> Signature<S, Plain, ($($arg,)*)> for Func
        where
            Func: Fn(Cx<S>, $($arg),*) -> Fut + Send + Sync + 'static,
        {
            type Fut = Fut;

            #[allow(non_snake_case, clippy::allow_attributes, reason = "one macro for 0 to 6 arguments")]
            fn invoke(&self, cx: Cx<S>, _: Option<Approved>, ($($arg,)*): ($($arg,)*)) -> Fut {
                self(cx, $($arg),*)
            }
        }

        impl<S, Func, Fut, $($arg),*> Signature<S, Asks, ($($arg,)*)> for Func
        where
            Func: Fn(Cx<S>, Approved, $($arg),*) -> Fut + Send + Sync + 'static,
        {
            type Fut = Fut;

            #[allow(non_snake_case, clippy::allow_attributes, reason = "one macro for 0 to 6 arguments")]
            fn invoke(&self, cx: Cx<S>, approved: Option<Approved>, ($($arg,)*): ($($arg,)*)) -> Fut {
                self(cx, approved.expect("the door hands an approval to every call of a destroy helper"), $($arg),*)
            }
        }
    };
}

signature!();
signature!(A1);
signature!(A1, A2);
signature!(A1, A2, A3);
signature!(A1, A2, A3, A4);
signature!(A1, A2, A3, A4, A5);
signature!(A1, A2, A3, A4, A5, A6);
