//! One conversation with a server, from its greeting to its end.

use std::process::Stdio;

use reqwest::{Client, redirect::Policy};
use rmcp::{
    RoleClient, ServiceError, ServiceExt,
    model::{CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig, Implementation, JsonObject},
    service::{ClientInitializeError, RunningService},
    transport::{
        DynamicTransportError, StreamableHttpClientTransport, TokioChildProcess,
        streamable_http_client::{HttpStatusError, StreamableHttpClientTransportConfig, StreamableHttpError},
    },
};
use tokio::process::Command;

use super::{CONNECT, older::Older, place::Place, plain};
use crate::{delivery::SinkError, sinks::http};

/// What a child must not inherit: it is another program, maybe another's.
const SECRETS: [&str; 4] =
    ["ADMIN_SHELL_TOKEN", "ADMIN_SHELL_SECRET", "SESSION_TRACKER_SECRET", "SESSION_TRACKER_SECRET_FILE"];

/// A conversation.
pub(super) struct Connection {
    service: RunningService<RoleClient, ClientConfig>,
    /// How a server of the older generation is told; `None` for a tracker of ours.
    older: Option<Older>,
}

impl Connection {
    /// Greets the server and asks what it offers.
    pub(super) async fn open(place: &Place, token: Option<String>) -> Result<Self, SinkError> {
        let me = ClientConfig::new(
            ClientCapabilities::default(),
            Implementation::new("admin-shell", env!("CARGO_PKG_VERSION")),
        );
        let service = match place {
            Place::Http(url) => {
                // The library's own client keeps no connection open, which doubles the time of a call.
                let client = Client::builder()
                    .connect_timeout(CONNECT)
                    .redirect(Policy::none())
                    .tcp_nodelay(true)
                    .user_agent(concat!("admin-shell/", env!("CARGO_PKG_VERSION")))
                    .build()
                    .map_err(|_| SinkError::unavailable("the client can not be made"))?;
                let mut config = StreamableHttpClientTransportConfig::with_uri(url.as_str());
                config.auth_header = token;
                me.serve(StreamableHttpClientTransport::with_client(client, config)).await
            }
            Place::Command(words) => {
                let mut command = Command::new(&words[0]);
                command.args(&words[1..]).process_group(0).kill_on_drop(true);
                for name in SECRETS {
                    command.env_remove(name);
                }
                let child = TokioChildProcess::builder(command).stderr(Stdio::null()).spawn();
                let (child, _) =
                    child.map_err(|error| SinkError::unavailable(format!("the command does not start: {error}")))?;
                me.serve(child).await
            }
        };
        let service = service.map_err(|error| greeting(&error))?;
        let tools = service.list_all_tools().await.map_err(|error| failed(&error))?;
        let older = match tools.iter().any(|tool| tool.name == "track_events") {
            true => None,
            false => Some(Older::of(&tools).ok_or_else(|| {
                SinkError::unavailable(
                    "the server offers neither `track_events` nor `track_session_start` and `track_session_end`",
                )
            })?),
        };
        Ok(Self { service, older })
    }

    pub(super) fn older(&self) -> Option<&Older> {
        self.older.as_ref()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.service.is_closed()
    }

    pub(super) async fn call(&self, tool: &str, arguments: JsonObject) -> Result<CallToolResult, SinkError> {
        let request = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        self.service.call_tool(request).await.map_err(|error| failed(&error))
    }
}

fn greeting(error: &ClientInitializeError) -> SinkError {
    match error {
        ClientInitializeError::TransportError { error, .. } => on_the_way(error),
        ClientInitializeError::ConnectionClosed(_) => {
            SinkError::failed("connection", "the server closed the connection")
        }
        ClientInitializeError::JsonRpcError(error) => {
            SinkError::unavailable(format!("the server refused to talk: {}", plain(&error.message)))
        }
        _ => SinkError::failed("malformed", "what answers there does not speak the Model Context Protocol"),
    }
}

fn failed(error: &ServiceError) -> SinkError {
    match error {
        ServiceError::McpError(error) => {
            SinkError::unavailable(format!("the server refused the call: {}", plain(&error.message)))
        }
        ServiceError::TransportSend(error) => on_the_way(error),
        ServiceError::TransportClosed => SinkError::failed("connection", "the server closed the connection"),
        ServiceError::Timeout { .. } => SinkError::failed("timeout", "no answer in time"),
        _ => SinkError::failed("malformed", "the answer is not one that tools give"),
    }
}

/// What happened on the way, without the address.
fn on_the_way(error: &DynamicTransportError) -> SinkError {
    let Some(error) = error.error.downcast_ref::<StreamableHttpError<reqwest::Error>>() else {
        return SinkError::failed("connection", "the connection broke");
    };
    match error {
        StreamableHttpError::Client(error) => http::unavailable(error),
        StreamableHttpError::HttpStatus(HttpStatusError { status, retry_after, .. }) => {
            SinkError::failed(http::kind(*status), format!("the server answers with status {status}"))
                .retry_after(retry_after.as_deref().and_then(http::seconds))
        }
        StreamableHttpError::AuthRequired(_) => SinkError::failed(
            "unauthorized",
            "the server does not accept the token: look at ADMIN_SHELL_TOKEN or ADMIN_SHELL_SECRET (status 401)",
        ),
        StreamableHttpError::InsufficientScope(_) => {
            SinkError::failed("forbidden", "the token does not allow this (status 403)")
        }
        StreamableHttpError::UnexpectedServerResponse(_) | StreamableHttpError::UnexpectedContentType(_) => {
            let said = "what answers there does not speak the Model Context Protocol, or refuses the token";
            SinkError::failed("malformed", said)
        }
        _ => SinkError::failed("connection", "the connection broke"),
    }
}
