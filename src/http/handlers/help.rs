//! Pages that explain: what is behind the `type` of a problem.

use hyper::StatusCode;
use hyper::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};

use super::super::cache_policy::Freshness;
use super::super::problem::{Kind, Problem};
use super::super::reply::{Content, Reply};
use super::super::request::Asked;
use super::fixed;

const STYLESHEET: &str = include_str!("../../../static/everfeed.css");
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// `/ui/problems/{kind}`
pub(crate) fn problem(asked: &Asked<'_>, slug: &str) -> Result<Reply, Problem> {
    let Some(kind) = Kind::ALL.iter().find(|kind| kind.slug() == slug) else {
        let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.slug()).collect();
        return Err(Problem::new(Kind::UnknownAddress, format!("the kinds of problems are {}", known.join(", "))));
    };
    let (title, explanation) = (kind.title(), kind.explanation().replace('<', "&lt;"));
    let explanation = code_spans(&explanation);
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title} · Everfeed</title>\n\
         <link rel=\"stylesheet\" href=\"../everfeed.css\">\n</head>\n<body>\n<main>\n\
         <p class=\"status\">{status} · {slug}</p>\n<h1>{title}</h1>\n<p>{explanation}</p>\n</main>\n</body>\n</html>\n",
        status = kind.status(),
    );
    let reply = Reply::new(StatusCode::OK, Freshness::Live, Content::Whole(page.into()))
        .header(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))
        .header(CONTENT_SECURITY_POLICY, POLICY);
    Ok(fixed::tagged(asked, reply))
}

/// `/ui/everfeed.css`
pub(crate) fn stylesheet(asked: &Asked<'_>) -> Reply {
    let reply = Reply::new(StatusCode::OK, Freshness::Live, Content::Whole(STYLESHEET.into()))
        .header(CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
    fixed::tagged(asked, reply)
}

/// What stands between backquotes, as code.
fn code_spans(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.map(|(index, part)| if index % 2 == 1 { format!("<code>{part}</code>") } else { part.to_string() }).collect()
}
