//! `/ui/log-in` and `/ui/log-out`: how a browser comes to know a name and a password, and to forget them.
//!
//! There is no session and no cookie. A browser that is refused here asks its user, and from then on sends what it was
//! told with whatever lies beside these addresses: every page. What it sends it drops when it is refused again, so that is
//! how one leaves. (Where a browser shows a certificate, or asks again at once, the page says what to do.)

use crate::access::Caller;
use crate::address::{Address, Ui};

use super::super::super::problem::{Kind, Problem};
use super::super::super::reply::Reply;
use super::super::super::request::Asked;
use super::see_other;

/// Refuses whoever is unknown, which makes a browser ask, and sends everybody else to the pages.
pub(crate) fn log_in(asked: &Asked<'_>, caller: &Caller) -> Result<Reply, Problem> {
    if caller.is_anonymous() {
        return Err(Problem::new(
            Kind::Unauthenticated,
            "say who you are: your browser asks for a name and a password",
        ));
    }
    Ok(see_other(asked, &Address::Ui(Ui::Overview { search: None })))
}

/// Refuses this user, which makes a browser forget them. Whoever comes as somebody else, or as nobody, has left already.
pub(crate) fn log_out(asked: &Asked<'_>, caller: &Caller, user: Option<&str>) -> Result<Reply, Problem> {
    if caller.name().is_some_and(|name| user.is_none_or(|user| user == name)) {
        let detail = "you are logged out as soon as you cancel what your browser asks now. It forgets the password then; \
                      until it is closed, some browsers offer it again";
        return Err(Problem::new(Kind::Unauthenticated, detail));
    }
    Ok(see_other(asked, &Address::Ui(Ui::Overview { search: None })))
}
