//! Routes on which guessing is limited.

use std::future::{Ready, ready};
use std::rc::Rc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use domain::Error;

use super::error::Failure;
use crate::app::App;
use crate::auth::Decision;
use crate::http::app;
use crate::http::{RequestFacts, client_address};

/// A route that takes credentials: extracting this counts an attempt from the caller's address.
pub struct Limited {
    facts: Option<Rc<RequestFacts>>,
}

impl Limited {
    /// Counts an attempt on an account, whether it exists or not.
    pub fn on_account(&self, app: &App, login: &str) -> Result<(), Failure> {
        self.note(app.limits.on_account(login))
    }

    fn note(&self, decision: Decision) -> Result<(), Failure> {
        let refusal = (!decision.allowed).then(|| decision.retry_after());
        if let Some(facts) = &self.facts {
            facts.limits.borrow_mut().push(decision);
        }
        match refusal {
            None => Ok(()),
            Some(retry_after) => Err(Error::RateLimited { retry_after }.into()),
        }
    }
}

/// A route that may take credentials: only attempts on an account count.
pub struct LimitedByAccount(Limited);

impl LimitedByAccount {
    /// Counts an attempt on an account, whether it exists or not.
    pub fn on_account(&self, app: &App, login: &str) -> Result<(), Failure> {
        self.0.on_account(app, login)
    }
}

impl FromRequest for LimitedByAccount {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let facts = request.extensions().get::<Rc<RequestFacts>>().cloned();
        ready(Ok(Self(Limited { facts })))
    }
}

impl FromRequest for Limited {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let attempt = || {
            let app = app(request)?;
            let facts = request.extensions().get::<Rc<RequestFacts>>().cloned();
            let limited = Self { facts };
            let route = request.match_pattern().unwrap_or_default();
            limited.note(app.limits.from_address(client_address(request, &app), route))?;
            Ok(limited)
        };
        ready(attempt())
    }
}
