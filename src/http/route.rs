//! The one match that decides who answers.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{HeaderValue, LOCATION, VARY};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};

use crate::access::Audience;
use crate::address::{Address, BaseUrl, Shape, Target, Ui, Unaddressable};
use crate::event::Source;
use crate::store::Thoroughness;

use super::audit::Deed;
use super::cache_policy::Freshness;
use super::methods::{self, allowed, instead_of_changing, method_not_allowed, options};
use super::problem::Problem;
use super::reply::{Content, Reply};
use super::request::{Asked, Found, RequestId};
use super::rights::Reading;
use super::{Ends, Served, document, handlers, header, metering, request};

impl Served {
    /// The one match that decides who answers. It finds out who asks on its way.
    pub(super) async fn route(
        self: &Arc<Self>,
        request: Request<Incoming>,
        id: &RequestId,
        base: &BaseUrl,
        ends: &Ends,
        address: IpAddr,
        found: &mut Found,
    ) -> Result<Reply, Problem> {
        request::check_head(&request, &self.settings)?;
        // Of the server as a whole one can only ask what it takes (RFC 9110 §9.3.7). CONNECT names no path at all.
        if matches!(request.uri().path(), "*" | "") {
            return match *request.method() {
                Method::OPTIONS => Ok(options(methods::ALL)),
                _ => Err(method_not_allowed(request.method(), methods::ALL, "")),
            };
        }
        let (Parts { method, uri, headers, .. }, incoming) = request.into_parts();
        let target = match Target::parse(uri.path(), uri.query()) {
            Ok(target) => target,
            Err(Unaddressable::TrailingSlash { location }) => return Ok(moved(base, &location)),
            Err(error) => return Err(error.into()),
        };
        found.resource = metering::resource(&target, &method, &headers);
        if self.access.is_open() && is_of_users(&target.address) {
            return Err(Unaddressable::Unknown.into());
        }
        let allowed = allowed(&target.address);
        match method {
            Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::DELETE
                if allowed.split(", ").any(|allowed| allowed == method) => {}
            Method::OPTIONS => return Ok(options(allowed)),
            _ => return Err(method_not_allowed(&method, allowed, instead_of_changing(&method, &target.address))),
        }
        let is_head = method == Method::HEAD;
        let asked = Asked { id, headers: &headers, target: &target, base, address, is_head };
        let (is_post, is_delete) = (method == Method::POST, method == Method::DELETE);
        if is_post || is_delete || method == Method::PUT {
            self.check_site(&headers, base, ends, is_post && appends_events(&target.address))?;
        }
        found.caller = self.identify(&headers, address, ends).await?;
        let caller = &found.caller;
        if !is_about_health(&target.address) {
            self.rates.request(caller, address)?;
        }
        if !is_post
            && !is_delete
            && let Some(redirect) = handlers::ui::redirect(&asked)
        {
            return Ok(redirect);
        }
        let mut reading = Reading::default();
        // Boxed, or every request would carry room for the largest of them all, also while it waits.
        let answer = match &target.address {
            Address::Feed(source) if is_post => {
                let permit = self.may_write(caller, source.stream()).await?;
                Box::pin(handlers::append::post(self, &asked, &permit, None, incoming)).await
            }
            Address::Feed(source) if is_delete => {
                let permit = self.may_delete(caller, source.stream()).await?;
                Box::pin(handlers::delete::delete(self, &asked, &permit)).await
            }
            Address::Incoming { stream, id } => {
                let permit = self.may_write(caller, stream.clone()).await?;
                Box::pin(handlers::append::post(self, &asked, &permit, Some(*id), incoming)).await
            }
            Address::Feed(source) => {
                // Whoever waits holds nothing that nobody reads: a body is taken as far as its window goes.
                drop(incoming);
                let permit = self.may_read(caller, source.clone(), &mut reading).await?;
                let answer = Box::pin(handlers::feed::get(self, &asked, &permit, Shape::Head)).await;
                answer.map_err(|problem| chosen_by_accept(problem, &target))
            }
            Address::Page { source, request } => {
                drop(incoming);
                let permit = self.may_read(caller, source.clone(), &mut reading).await?;
                Box::pin(handlers::feed::get(self, &asked, &permit, Shape::Page(*request))).await
            }
            Address::Event { source, place } if is_delete && source.is_derived() => {
                let permit = self.may_read(caller, source.clone(), &mut reading).await?;
                Box::pin(handlers::erase::elsewhere(self, &asked, &permit, *place)).await
            }
            Address::Event { source, place } if is_delete => {
                let permit = self.may_erase(caller, source.stream()).await?;
                let number = handlers::erase::number(*place)?;
                let deed = Deed::EraseEvent(permit.stream().clone(), number);
                let work = handlers::erase::delete(self, &asked, &permit, number);
                Box::pin(self.recorded(&asked, caller, deed, work)).await
            }
            Address::Event { source, place } => {
                let permit = self.may_read(caller, source.clone(), &mut reading).await?;
                let answer = Box::pin(handlers::event::get(self, &asked, &permit, *place)).await;
                answer.map_err(|problem| chosen_by_accept(problem, &target))
            }
            Address::Data { source, place } => {
                let permit = self.may_read(caller, source.clone(), &mut reading).await?;
                Box::pin(handlers::data::get(self, &asked, &permit, *place)).await
            }
            Address::Info => handlers::operations::info(self, caller).await,
            Address::Ping => Ok(handlers::operations::ping()),
            Address::Live => Ok(handlers::health::live(self, self.access.operate(caller).ok().as_ref())),
            Address::Ready => Ok(handlers::health::ready(self, self.access.operate(caller).ok().as_ref())),
            Address::Metrics => Ok(handlers::metrics::get(self, &self.access.operate(caller)?)),
            Address::Stats => Ok(Box::pin(handlers::stats::get(self, &self.access.operate(caller)?)).await),
            Address::History(by) => Ok(handlers::stats::history(self, &self.access.operate(caller)?, *by)),
            Address::OpenApi => {
                reading.audience = Audience::Everybody;
                Ok(handlers::openapi::get(&asked))
            }
            Address::Scavenge if is_post => {
                let permit = self.access.operate(caller)?;
                let work = async { handlers::scavenge::post(self, &permit, Thoroughness::Everything) };
                Box::pin(self.recorded(&asked, caller, Deed::Scavenge, work)).await
            }
            Address::Compact if is_post => {
                let permit = self.access.operate(caller)?;
                let work = async { handlers::scavenge::post(self, &permit, Thoroughness::NoTrace) };
                Box::pin(self.recorded(&asked, caller, Deed::Compact, work)).await
            }
            Address::Scavenge | Address::Compact => Ok(handlers::scavenge::get(self, &self.access.operate(caller)?)),
            Address::Promote => {
                let permit = self.access.operate(caller)?;
                Box::pin(self.recorded(&asked, caller, Deed::Promote, handlers::promote::post(self, &permit))).await
            }
            Address::Streams(list) => {
                let permit = self.access.list(caller)?;
                reading.audience = permit.audience();
                Box::pin(handlers::streams::get(self, &asked, &permit, list)).await
            }
            Address::Stream { source, at } => {
                let permit = self.may_read(caller, source.clone(), &mut reading).await?;
                Box::pin(handlers::streams::one(self, &asked, &permit, *at)).await
            }
            Address::Backups | Address::Backup { .. } => {
                Box::pin(handlers::backup::answer(self, &asked, caller, &method)).await
            }
            Address::Users | Address::CurrentUser | Address::User { .. } | Address::UserCommand { .. } => {
                let identities = self.identities.as_ref().expect("a server that is not open has users");
                let work = handlers::users::answer(self, identities, &asked, caller, &method, incoming);
                Box::pin(work).await
            }
            Address::Ui(Ui::Overview { .. }) if is_post => {
                Box::pin(handlers::ui::append(self, &asked, caller, None, incoming)).await
            }
            Address::Ui(Ui::Overview { search }) => {
                let permit = self.access.list(caller)?;
                reading.audience = permit.audience();
                Box::pin(handlers::ui::overview(self, &asked, &permit, search.as_deref())).await
            }
            Address::Ui(Ui::Stream { source, .. }) if is_post => {
                Box::pin(handlers::ui::append(self, &asked, caller, Some(&source.stream()), incoming)).await
            }
            Address::Ui(Ui::Stream { source, look }) => {
                let permit = self.may_read(caller, source.clone(), &mut reading).await?;
                Box::pin(handlers::ui::stream(self, &asked, &permit, look)).await
            }
            Address::Ui(Ui::Event { source, place, form }) => {
                let permit = self.may_read(caller, source.clone(), &mut reading).await?;
                Box::pin(handlers::ui::event(self, &asked, &permit, *place, *form)).await
            }
            Address::Ui(Ui::News { source }) => {
                let permit = self.may_read(caller, source.clone(), &mut reading).await?;
                handlers::listen::news(self, &asked, &permit)
            }
            Address::Ui(Ui::LogIn) => handlers::ui::log_in(&asked, caller),
            Address::Ui(Ui::LogOut { user }) => handlers::ui::log_out(&asked, caller, user.as_deref()),
            Address::Problem { kind } => {
                reading.audience = Audience::Everybody;
                handlers::help::problem(&asked, kind)
            }
            Address::Asset(asset) => {
                reading.audience = Audience::Everybody;
                Ok(handlers::help::asset(&asked, *asset))
            }
            Address::Metadata { stream } if is_post => {
                let permit = self.may_write(caller, stream.settings()).await?;
                Box::pin(handlers::append::post(self, &asked, &permit, None, incoming)).await
            }
            Address::Metadata { stream } => {
                let permit = self.may_read(caller, Source::Stream(stream.settings()), &mut reading).await?;
                Box::pin(handlers::metadata::get(self, &asked, &permit)).await
            }
            Address::Home => {
                let permit = self.access.list(caller)?;
                reading.audience = permit.audience();
                Box::pin(handlers::service::get(self, &asked, &permit)).await
            }
            Address::Categories { stream } => {
                let permit = self.may_read(caller, Source::named(stream.clone()), &mut reading).await?;
                Box::pin(handlers::service::categories(self, &asked, &permit)).await
            }
        };
        let shows_events = !is_post && !is_delete && shows_events(&target.address);
        let answer = answer.map(|reply| if shows_events { reply.header(header::LOG, self.log()) } else { reply });
        let audience = self.may_still_read(caller, reading).await?;
        answer.map(|reply| reply.to(audience)).map_err(|problem| problem.to(audience))
    }
}

/// A browser would have been sent to a page instead, also of what is not there.
fn chosen_by_accept(problem: Problem, target: &Target) -> Problem {
    match target.format {
        Some(_) => problem,
        None => problem.header(VARY, HeaderValue::from_static("Accept")),
    }
}

/// Whether what is found there are events: then the answer says of which log.
const fn shows_events(address: &Address) -> bool {
    matches!(address, Address::Feed(_) | Address::Page { .. } | Address::Event { .. } | Address::Data { .. })
}

/// Whether what is sent there becomes events like any others, and changes nothing else.
fn appends_events(address: &Address) -> bool {
    match address {
        Address::Feed(source) => !source.stream().is_system(),
        Address::Incoming { stream, .. } => !stream.is_system(),
        _ => false,
    }
}

/// Whether it is there only where users are.
const fn is_of_users(address: &Address) -> bool {
    matches!(
        address,
        Address::Users
            | Address::CurrentUser
            | Address::User { .. }
            | Address::UserCommand { .. }
            | Address::Ui(Ui::LogIn | Ui::LogOut { .. })
    )
}

/// Whether it is for whoever watches over the server, which is never too much.
const fn is_about_health(address: &Address) -> bool {
    matches!(address, Address::Ping | Address::Live | Address::Ready | Address::Metrics)
}

fn moved(base: &BaseUrl, location: &str) -> Reply {
    let mut reply = Reply::new(StatusCode::TEMPORARY_REDIRECT, Freshness::Moved, Content::Whole(bytes::Bytes::new()));
    document::insert(&mut reply.headers, LOCATION, &format!("{base}{location}"));
    reply
}
