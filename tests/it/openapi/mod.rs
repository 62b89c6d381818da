//! `/openapi.json`: it is valid, it names every route and no other, and requests that are made from it succeed.

mod document;
mod requests;
mod routes;
