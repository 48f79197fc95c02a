//! The MCP door: tools over streamable HTTP on `/mcp`, and over standard streams. Translates, and decides nothing.
//!
//! Invariants:
//! - It speaks the versions of the protocol that have a handshake and the one that has none. No request depends on an
//!   earlier one: there are no sessions of the protocol, so any tracker of several can answer any request.
//! - Who calls is what the `Authorization` header says. Without one, those who only ask what there is are answered, and
//!   the two tools of the older generation look at their `token` argument.
//! - What a caller may not do is refused as over REST: a status and a problem document. The two older tools answer every
//!   refusal of their own in the form that their clients know.
//! - Bad arguments are an answer of the tool (`isError`) that names the field and the rule.

mod arguments;
mod calls;
mod http;
mod names;
mod schema;
mod stdio;
mod tools;

use std::sync::{Arc, OnceLock};

use axum::http::request::Parts;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestMethod, CompleteRequestParams,
        CompleteResult, ContentBlock, CustomRequest, CustomResult, ErrorCode, Implementation, ListPromptsRequestMethod,
        ListPromptsResult, ListResourceTemplatesRequestMethod, ListResourceTemplatesResult, ListResourcesRequestMethod,
        ListResourcesResult, ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
    },
    service::RequestContext,
};

use super::{Caller, Tracker, TrackerError, error::shown, rest::Problem};

pub(super) use http::router;
pub use names::Names;
pub use stdio::serve_stdio;

const INSTRUCTIONS: &str = "Sessions of admin shells: who opened which shell when and where, what was done in it, and \
     how it ended. `list_sessions` finds them, `show_session` shows one with its events, `session_stats` counts. \
     `track_session_start` and `track_session_end` record sessions of programs that have no journal of their own.";

/// One end of a conversation. Cheap to make: there is one for each request.
#[derive(Clone)]
struct Door {
    tracker: Tracker,
}

/// Whom a request comes from.
struct Shown {
    caller: Result<Caller, TrackerError>,
    /// Where a refusal is left for the answer's status; not over standard streams, which have none.
    refusal: Option<Refusal>,
}

/// Why a call was refused, on its way to the status of the answer.
#[derive(Clone, Debug, Default)]
struct Refusal(Arc<OnceLock<TrackerError>>);

impl Shown {
    fn by(context: &RequestContext<RoleServer>) -> Self {
        match context.extensions.get::<Parts>() {
            Some(parts) => Self { caller: http::caller(parts), refusal: parts.extensions.get().cloned() },
            // Whoever starts the program may read the journal's file as well.
            None => Self { caller: Ok(Caller::anybody()), refusal: None },
        }
    }

    /// The answer to a call that came to nothing.
    fn refuse(&self, error: TrackerError) -> CallToolResult {
        let is_of_the_caller = matches!(
            error,
            TrackerError::Unauthenticated(_)
                | TrackerError::MissingScope(_)
                | TrackerError::OtherComponent
                | TrackerError::OtherWriter
                | TrackerError::TooMany { .. }
        );
        if let (true, Some(Refusal(slot))) = (is_of_the_caller, &self.refusal) {
            let _ = slot.set(error.clone());
        }
        let words = error.to_string();
        let mut result =
            CallToolResult::structured_error(serde_json::to_value(Problem::from(error)).unwrap_or_default());
        result.content = vec![ContentBlock::text(words)];
        result
    }
}

impl ServerHandler for Door {
    fn get_info(&self) -> ServerConfig {
        let implementation = Implementation::new("session-tracker", env!("CARGO_PKG_VERSION"));
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(implementation)
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools::all().to_vec()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools::named(name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = tools::named(&request.name) else {
            return Err(ErrorData::invalid_params(format!("name: {}", tools::unknown()), None));
        };
        let shown = Shown::by(&context);
        let result = self.call(tool, &shown, request.arguments.unwrap_or_default()).await;
        Ok(result.unwrap_or_else(|error| shown.refuse(error)).into())
    }

    // Whoever does not offer something says so, instead of an empty list of it.

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Err(ErrorData::method_not_found::<ListPromptsRequestMethod>())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Err(ErrorData::method_not_found::<ListResourcesRequestMethod>())
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Err(ErrorData::method_not_found::<ListResourceTemplatesRequestMethod>())
    }

    async fn complete(
        &self,
        _: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        Err(ErrorData::method_not_found::<CompleteRequestMethod>())
    }

    /// What can not be read as a request of the protocol comes here: a call whose arguments are no object, say.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        if request.method != "tools/call" {
            let words = format!("there is no method `{}`", shown(&request.method));
            return Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, words, None));
        }
        let params = request.params.unwrap_or_default();
        let name = params.get("name").and_then(serde_json::Value::as_str).unwrap_or_default();
        match calls::not_an_object(name) {
            Some(answer) => Ok(CustomResult::new(serde_json::to_value(answer).unwrap_or_default())),
            None => {
                Err(ErrorData::invalid_params("params: must hold `name`, a string, and `arguments`, an object", None))
            }
        }
    }
}
