//! What every request goes through before a door sees it, from the outside in:
//!
//! 1. a request id, in the log and in the answer (`x-request-id`); security headers on every answer;
//! 2. a panic becomes a 500 with nothing in it;
//! 3. where no token is asked for, the `Host` has to be this machine: else any web page that a person here opens could
//!    make a name point at us and read what is recorded (DNS rebinding);
//! 4. at most so many requests at once, and none for longer than its time;
//! 5. who calls, and how often: a caller who comes too often hears when to come again.
//!
//! Who calls is found once and kept with the request: doors take it from there with [`caller_of`].

use std::{
    any::Any,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    extract::{ConnectInfo, FromRequestParts, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock};
use tokio::sync::Semaphore;
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer,
    request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer},
    set_header::SetResponseHeaderLayer,
    trace::{DefaultOnFailure, DefaultOnRequest, DefaultOnResponse, TraceLayer},
};
use tracing::Level;
use uuid::Uuid;

use super::{Caller, Tracker, TrackerError, rest::Problem};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longer than the id of any proxy.
const LONGEST_ID: usize = 128;

/// How much is too much.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Requests of one caller in a second; `None`: any number.
    pub rate: Option<NonZeroU32>,
    /// Requests at once.
    pub at_once: usize,
    /// How long one may take.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { rate: NonZeroU32::new(100), at_once: 256, time: Duration::from_secs(30) }
    }
}

struct Frame {
    tracker: Tracker,
    limits: Limits,
    rates: Option<DefaultKeyedRateLimiter<Key>>,
    places: Semaphore,
}

/// Whose requests are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Subject(String),
    Address(IpAddr),
}

/// What was found out about the caller; an error is answered by those routes that need to know.
#[derive(Clone)]
struct Found(Result<Caller, TrackerError>);

/// Who sent a request.
///
/// # Errors
/// When that could not be found out.
pub(super) fn caller_of(parts: &Parts) -> Result<Caller, TrackerError> {
    let nobody = || TrackerError::Unauthenticated("a bearer token is needed");
    parts.extensions.get::<Found>().ok_or_else(nobody)?.0.clone()
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = TrackerError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, TrackerError> {
        caller_of(parts)
    }
}

/// Puts the frame around the doors.
pub(super) fn frame(tracker: Tracker, limits: Limits, doors: Router) -> Router {
    let rates = limits.rate.map(|rate| RateLimiter::keyed(Quota::per_second(rate)));
    let places = Semaphore::new(limits.at_once);
    let frame = Arc::new(Frame { tracker, limits, rates, places });
    forget_who_is_gone(&frame);
    let fixed = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    let trace = TraceLayer::new_for_http()
        .make_span_with(span)
        .on_request(DefaultOnRequest::new().level(Level::DEBUG))
        .on_response(DefaultOnResponse::new().level(Level::INFO))
        .on_failure(DefaultOnFailure::new().level(Level::WARN));
    doors.layer(
        ServiceBuilder::new()
            .map_request(drop_strange_id)
            .layer(SetRequestIdLayer::new(REQUEST_ID, NewId))
            .layer(trace)
            .layer(PropagateRequestIdLayer::new(REQUEST_ID))
            .layer(fixed(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .layer(fixed(header::X_FRAME_OPTIONS, "DENY"))
            .layer(fixed(header::REFERRER_POLICY, "no-referrer"))
            .layer(fixed(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"))
            .layer(fixed(header::CACHE_CONTROL, "no-store"))
            .layer(CatchPanicLayer::custom(panicked))
            .layer(from_fn_with_state(frame, enter)),
    )
}

async fn enter(State(frame): State<Arc<Frame>>, mut request: Request, next: Next) -> Response {
    if frame.tracker.is_open() && !is_this_machine(request.headers()) {
        let detail =
            "this tracker asks for no token, so it answers to names of this machine only: 127.0.0.1, localhost";
        return Problem::new(403, "other-host", detail).into_response();
    }
    // Those who watch whether it lives must hear that it does, however busy it is.
    if matches!(request.uri().path(), "/health" | "/ready") {
        return next.run(request).await;
    }
    let Ok(_place) = frame.places.try_acquire() else {
        let busy = TrackerError::Unavailable { what: "too many requests at once", retry_after: Duration::from_secs(1) };
        return busy.into_response();
    };
    let answer = async {
        let found = match bearer(request.headers()) {
            Ok(token) => frame.tracker.authorise(token).await,
            Err(error) => Err(error),
        };
        if let Some(retry_after) = frame.wait(&found, &request) {
            return TrackerError::TooMany { retry_after }.into_response();
        }
        request.extensions_mut().insert(Found(found));
        next.run(request).await
    };
    match tokio::time::timeout(frame.limits.time, answer).await {
        Ok(answer) => answer,
        Err(_) => Problem::new(408, "too-slow", "the request took too long").into_response(),
    }
}

impl Frame {
    /// How long a caller has to wait; `None` when it may come in.
    fn wait(&self, found: &Result<Caller, TrackerError>, request: &Request) -> Option<Duration> {
        let rates = self.rates.as_ref()?;
        let subject = found.as_ref().ok().and_then(Caller::writer).map(|subject| Key::Subject(subject.to_owned()));
        let key = subject.unwrap_or_else(|| {
            let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
            Key::Address(network(peer.map_or(Ipv6Addr::UNSPECIFIED.into(), |ConnectInfo(peer)| peer.ip())))
        });
        let too_often = rates.check_key(&key).err()?;
        Some(too_often.wait_time_from(rates.clock().now()))
    }
}

/// Whoever has one IPv6 address has 2^64 of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Callers who have not come for a while need not be remembered.
fn forget_who_is_gone(frame: &Arc<Frame>) {
    let frame = Arc::downgrade(frame);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(60)).await;
            let Some(frame) = frame.upgrade() else { return };
            if let Some(rates) = &frame.rates {
                rates.retain_recent();
                rates.shrink_to_fit();
            }
        }
    });
}

/// The token of the `Authorization` header (RFC 6750); `None` when there is no such header.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, TrackerError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let wrong = TrackerError::Unauthenticated("the Authorization header must be `Bearer` and one token");
    let text = value.to_str().ok().filter(|_| values.next().is_none()).ok_or_else(|| wrong.clone())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(|| wrong.clone())?;
    let token = token.trim();
    let is_bearer = scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && !token.contains(' ');
    if is_bearer { Ok(Some(token)) } else { Err(wrong) }
}

/// Whether a request names this machine. One without a `Host` comes from no browser.
fn is_this_machine(headers: &HeaderMap) -> bool {
    let is_near = |authority: &str| {
        let host = match authority.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => authority.split(':').next().unwrap_or_default(),
        };
        host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    };
    let host = headers.get(header::HOST).map(|host| host.to_str().is_ok_and(is_near));
    let origin = headers.get(header::ORIGIN).map(|origin| {
        origin
            .to_str()
            .ok()
            .and_then(|origin| origin.split_once("://"))
            .is_some_and(|(_, authority)| is_near(authority))
    });
    host.unwrap_or(true) && origin.unwrap_or(true)
}

#[derive(Clone)]
struct NewId;

impl MakeRequestId for NewId {
    fn make_request_id<B>(&mut self, _: &axum::http::Request<B>) -> Option<RequestId> {
        HeaderValue::from_str(&Uuid::now_v7().to_string()).ok().map(RequestId::new)
    }
}

/// A proxy's id is kept; one that would spoil the log is not.
fn drop_strange_id<B>(mut request: axum::http::Request<B>) -> axum::http::Request<B> {
    let is_plain = |id: &HeaderValue| {
        (1..=LONGEST_ID).contains(&id.len())
            && id.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    };
    if request.headers().get(REQUEST_ID).is_some_and(|id| !is_plain(id)) {
        request.headers_mut().remove(REQUEST_ID);
    }
    request
}

/// The path without its query: what people look for is theirs.
fn span<B>(request: &axum::http::Request<B>) -> tracing::Span {
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    tracing::info_span!("request", id, method = %request.method(), path = request.uri().path())
}

fn panicked(_: Box<dyn Any + Send>) -> Response {
    tracing::error!("a request met a defect of this program");
    Problem::new(500, "defect", "this is a defect of the tracker: its log has the request's id").into_response()
}
