//! Who calls, by the header `X-AUTH-TOKEN`.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use domain::error::Unauthenticated;
use domain::token::{self, ApiTokenSecret};
use domain::user::Caller;
use domain::{Error, Result};

use super::error::Failure;
use crate::app::App;
use crate::http::{Extracted, app, client_address, note_caller};

/// Whoever has the API token.
pub struct Account(pub Caller);

impl FromRequest for Account {
    type Error = Failure;
    type Future = Extracted<Self, Failure>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let app = app(&request)?;
            let caller = authenticate(&app, &request).await?;
            note_caller(&request, caller.user_id);
            Ok(Self(caller))
        })
    }
}

async fn authenticate(app: &App, request: &HttpRequest) -> Result<Caller> {
    let unknown = || Error::Unauthenticated(Unauthenticated::Credentials);
    let header = request.headers().get("x-auth-token").and_then(|value| value.to_str().ok());
    let secret = header.and_then(|text| ApiTokenSecret::parse(text.trim())).ok_or_else(unknown)?;
    let from = client_address(request, app);
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let (caller, _) = token::authenticate(store, clock, &secret, from).await?;
    Ok(caller)
}
