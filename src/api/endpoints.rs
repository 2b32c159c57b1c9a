//! Where a shop wants its webhooks.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::changes::no_such_type;
use super::extract::{Body, Id};
use super::input::{self, EndpointBody, EndpointPatch, ReplayBody, few, short};
use super::own::own;
use super::problem::Problem;
use super::state::{Api, Caller};
use crate::model::{ChangeKind, Endpoint, EndpointId, EndpointState, ShopId};
use crate::store::StoreError;
use crate::webhook::queue::SECRET_PURPOSE;
use crate::webhook::sign;

/// Endpoints of one shop: each takes part in every commit of the shop's, and commits of all shops share the store.
const MOST_ENDPOINTS: usize = 100;
/// How often a lost race is run again.
const RACES: usize = 5;
/// Types of one endpoint.
const MOST_TYPES: usize = 100;

/// `POST /v1/endpoints`: the answer is the only place where a secret made by us is ever shown.
pub async fn create(
    State(api): State<Api>,
    Caller(shop): Caller,
    Body(bytes): Body,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let body: EndpointBody = input::body(&bytes)?;
    check_description(body.description.as_deref())?;
    let store = api.store()?;
    if store.endpoints(&shop).await?.len() >= MOST_ENDPOINTS {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "Too many endpoints",
            format!("a shop may have {MOST_ENDPOINTS} endpoints; delete one first"),
        ));
    }
    let guard = api.current().guard.clone();
    guard.check(&body.url).await.map_err(|refusal| Problem::field("url", refusal.to_string()))?;
    let events = body.events.unwrap_or_else(|| vec!["tracker.*".to_owned(), "endpoint.*".to_owned()]);
    check_events(&events)?;
    let secret = match body.secret {
        Some(own) => {
            let own = SecretString::from(own);
            sign::decode(&own).map_err(|problem| Problem::field("secret", problem.to_string()))?;
            own
        }
        None => sign::generate_secret().map_err(|problem| Problem::unavailable(problem.to_string()))?,
    };
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Problem::unavailable(format!("no random numbers: {error}")))?;
    let endpoint = Endpoint {
        id: EndpointId::from_bytes(bytes),
        shop,
        url: body.url,
        sealed_secret: store.master_key().seal(SECRET_PURPOSE, secret.expose_secret().as_bytes())?,
        events,
        state: EndpointState::Enabled,
        disabled_reason: None,
        undelivered_since: None,
        description: body.description,
        created_at: store.now().await?,
    };
    store.put_endpoint(&endpoint).await?;
    let mut shown = view(&endpoint);
    shown["secret"] = json!(secret.expose_secret());
    Ok((StatusCode::CREATED, Json(shown)))
}

/// Refuses words that are longer than anybody needs: they are read again at every change of the shop's.
fn check_description(description: Option<&str>) -> Result<(), Problem> {
    description.map_or(Ok(()), |text| short("description", text, 0, 500))
}

/// Refuses types that there are not.
fn check_events(events: &[String]) -> Result<(), Problem> {
    few("events", events.len(), MOST_TYPES)?;
    if events.is_empty() {
        return Err(Problem::field("events", "name one type at least, or leave it out to hear of everything"));
    }
    for (at, wanted) in events.iter().enumerate() {
        let known = ChangeKind::all().map(|kind| kind.to_string()).any(|name| match wanted.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == *wanted,
        });
        if !known {
            return Err(Problem::field(&format!("events[{at}]"), no_such_type(wanted)));
        }
    }
    Ok(())
}

/// `GET /v1/endpoints`
pub async fn list(State(api): State<Api>, Caller(shop): Caller) -> Result<Json<Value>, Problem> {
    let endpoints = api.store()?.endpoints(&shop).await?;
    Ok(Json(json!({"endpoints": endpoints.iter().map(view).collect::<Vec<_>>()})))
}

/// `GET /v1/endpoints/{id}`: with how its deliveries stand.
pub async fn show(State(api): State<Api>, Caller(shop): Caller, Id(id): Id) -> Result<Json<Value>, Problem> {
    let endpoint: Endpoint = own(&api, &shop, &id).await?;
    let mut shown = view(&endpoint);
    let store = api.store()?;
    let standing = store.reader().deliveries(&endpoint.id, store.now().await?).await?;
    shown["last_error"] = json!(standing.last_error);
    shown["failing_since"] = json!(standing.failing_since);
    shown["waiting"] = json!(standing.waiting.subjects);
    Ok(Json(shown))
}

/// `PATCH /v1/endpoints/{id}`: given fields replace what was there. The secret stays.
pub async fn patch(
    State(api): State<Api>,
    Caller(shop): Caller,
    Id(id): Id,
    Body(bytes): Body,
) -> Result<Json<Value>, Problem> {
    // Whose it is comes first: nobody learns from a problem in the body that a foreign endpoint is there.
    own::<Endpoint>(&api, &shop, &id).await?;
    let body: EndpointPatch = input::body(&bytes)?;
    if let Some(url) = &body.url {
        let guard = api.current().guard.clone();
        guard.check(url).await.map_err(|refusal| Problem::field("url", refusal.to_string()))?;
    }
    body.events.as_deref().map_or(Ok(()), check_events)?;
    check_description(body.description.as_ref().and_then(|text| text.as_deref()))?;
    change(&api, &shop, &id, |endpoint| {
        if let Some(url) = &body.url {
            endpoint.url.clone_from(url);
        }
        if let Some(events) = &body.events {
            endpoint.events.clone_from(events);
        }
        if let Some(description) = &body.description {
            endpoint.description.clone_from(description);
        }
        if let Some(state) = body.state {
            set_state(endpoint, state);
        }
    })
    .await
}

/// A state that the shop wants.
fn set_state(endpoint: &mut Endpoint, state: EndpointState) {
    endpoint.disabled_reason = (state == EndpointState::Disabled).then(|| "by_shop".to_owned());
    if state != EndpointState::Disabled {
        endpoint.undelivered_since = None;
    }
    endpoint.state = state;
}

/// Changes the caller's endpoint as it is now; again where somebody else changed it meanwhile.
async fn change(api: &Api, shop: &ShopId, id: &str, step: impl Fn(&mut Endpoint)) -> Result<Json<Value>, Problem> {
    let mut races = RACES;
    loop {
        let before: Endpoint = own(api, shop, id).await?;
        let mut after = before.clone();
        step(&mut after);
        match api.store()?.replace_endpoint(&before, &after).await {
            Ok(()) => return Ok(Json(view(&own(api, shop, id).await?))),
            Err(StoreError::Conflict(_)) if races > 0 => races -= 1,
            Err(error) => return Err(error.into()),
        }
    }
}

/// `DELETE /v1/endpoints/{id}`
pub async fn delete(State(api): State<Api>, Caller(shop): Caller, Id(id): Id) -> Result<StatusCode, Problem> {
    let endpoint: Endpoint = own(&api, &shop, &id).await?;
    api.store()?.delete_endpoint(&shop, &endpoint.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/endpoints/{id}/test`: queues an `endpoint.test` for this endpoint alone.
pub async fn test(
    State(api): State<Api>,
    Caller(shop): Caller,
    Id(id): Id,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let endpoint: Endpoint = own(&api, &shop, &id).await?;
    if endpoint.state != EndpointState::Enabled {
        return Err(not_enabled());
    }
    let store = api.store()?;
    let change = store
        .append_endpoint_change(
            &endpoint,
            ChangeKind::EndpointTest,
            &json!({"endpoint": view(&endpoint)}).to_string(),
            std::slice::from_ref(&endpoint.id),
        )
        .await?;
    Ok((StatusCode::ACCEPTED, Json(json!({"id": change}))))
}

/// `POST /v1/endpoints/{id}/enable`: it gets webhooks again, from now on.
pub async fn enable(State(api): State<Api>, Caller(shop): Caller, Id(id): Id) -> Result<Json<Value>, Problem> {
    change(&api, &shop, &id, |endpoint| set_state(endpoint, EndpointState::Enabled)).await
}

/// `GET /v1/endpoints/{id}/dead`: deliveries that were given up, newest first.
pub async fn dead(State(api): State<Api>, Caller(shop): Caller, Id(id): Id) -> Result<Json<Value>, Problem> {
    let endpoint: Endpoint = own(&api, &shop, &id).await?;
    let dead = api.store()?.dead(&endpoint.id, 100).await?;
    let rows: Vec<Value> = dead
        .iter()
        .map(|row| json!({"change": row.change, "tracker": row.subject, "died_at": row.died_at, "attempts": row.attempts, "error": row.error}))
        .collect();
    Ok(Json(json!({"dead": rows})))
}

/// `POST /v1/endpoints/{id}/replay`: sends one change again, with the same id and the same bytes.
pub async fn replay(
    State(api): State<Api>,
    Caller(shop): Caller,
    Id(id): Id,
    Body(bytes): Body,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let endpoint: Endpoint = own(&api, &shop, &id).await?;
    if endpoint.state == EndpointState::Disabled {
        return Err(not_enabled());
    }
    let body: ReplayBody = input::body(&bytes)?;
    let store = api.store()?;
    let found = store.change(&body.change).await?.filter(|change| change.shop == shop);
    let change = found.ok_or_else(|| Problem::not_found("change; it may be older than the log"))?;
    store.requeue(&endpoint.id, &[change], store.now().await?).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({"id": body.change}))))
}

fn not_enabled() -> Problem {
    Problem::new(StatusCode::CONFLICT, "Not enabled", "the endpoint gets no webhooks now; enable it first")
}

/// An endpoint as shops see it: without its secret.
fn view(endpoint: &Endpoint) -> Value {
    json!({
        "id": endpoint.id,
        "url": endpoint.url,
        "events": endpoint.events,
        "state": endpoint.state,
        "disabled_reason": endpoint.disabled_reason,
        "undelivered_since": endpoint.undelivered_since,
        "description": endpoint.description,
        "created_at": endpoint.created_at,
    })
}
