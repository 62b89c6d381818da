//! `/users`: who the server knows, as EventStore's clients ask for it and change it.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, LOCATION};
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::access::users::{Refused, User};
use crate::access::{Caller, ChangeError, Credentials, Identities, ManagePermit, NewUser, Unidentified};
use crate::address::{Address, UserCommand};
use crate::event::Timestamp;

use super::super::audit::Deed;
use super::super::problem::{Kind, Problem};
use super::super::reply::Reply;
use super::super::request::Asked;
use super::super::{Served, body, document};

/// What is sent to make a user.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct New {
    login_name: String,
    #[serde(default)]
    full_name: String,
    #[serde(default)]
    groups: Vec<Arc<str>>,
    password: String,
}

/// What is sent to change one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Changed {
    #[serde(default)]
    full_name: String,
    #[serde(default)]
    groups: Vec<Arc<str>>,
}

/// What an administrator sends to give somebody another password.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reset {
    new_password: String,
}

/// What a user sends for that.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OwnPassword {
    current_password: String,
    new_password: String,
}

/// What is asked, of whom.
struct Request<'a> {
    served: &'a Served,
    identities: &'a Identities,
    asked: &'a Asked<'a>,
}

/// Anything below `/users`, of a server that has users.
pub(crate) async fn answer(
    served: &Served,
    identities: &Identities,
    asked: &Asked<'_>,
    caller: &Caller,
    method: &Method,
    incoming: Incoming,
) -> Result<Reply, Problem> {
    let request = Request { served, identities, asked };
    let manages = || served.access.manage_users(caller);
    match &asked.target.address {
        Address::CurrentUser => request.current(caller),
        Address::Users if *method == Method::POST => request.create(&manages()?, incoming).await,
        Address::Users => Ok(request.list(&manages()?)),
        Address::User { login } if *method == Method::PUT => request.update(&manages()?, login, incoming).await,
        Address::User { login } if *method == Method::DELETE => request.delete(&manages()?, login).await,
        Address::User { login } => request.show(&manages()?, login),
        Address::UserCommand { login, command: UserCommand::ChangePassword } if caller.name() == Some(login) => {
            request.change_password(caller, login, incoming).await
        }
        Address::UserCommand { login, command } => request.command(&manages()?, login, *command, incoming).await,
        _ => unreachable!("the addresses of users are all here"),
    }
}

impl Request<'_> {
    fn current(&self, caller: &Caller) -> Result<Reply, Problem> {
        let Some(name) = caller.name() else {
            return Err(Problem::new(Kind::Unauthenticated, "the request says nothing of who it comes from"));
        };
        match self.identities.users().user(name).filter(|_| !caller.is_vouched_for()) {
            Some(user) => Ok(Self::data(&self.details(user))),
            // Whom another service vouches for is in no list; a user of that name here is somebody else.
            None => Ok(Self::data(&json!({ "loginName": name, "fullName": "", "groups": groups(caller.groups()) }))),
        }
    }

    fn list(&self, _permit: &ManagePermit) -> Reply {
        let users: Vec<Value> = self.identities.users().iter().map(|user| self.details(user)).collect();
        Self::data(&users.into())
    }

    fn show(&self, _permit: &ManagePermit, login: &str) -> Result<Reply, Problem> {
        let users = self.identities.users();
        let user = users.user(login).ok_or_else(|| Refused::NoSuchUser(login.to_string()))?;
        Ok(Self::data(&self.details(user)))
    }

    async fn create(&self, permit: &ManagePermit, incoming: Incoming) -> Result<Reply, Problem> {
        let New { login_name: login, full_name, groups, password } = self.read(incoming).await?;
        let permit = self.served.may_still_manage(permit)?;
        let deed = Deed::CreateUser { user: login.clone(), groups: groups.clone().into() };
        let new = NewUser { name: login.clone(), full_name, groups, password };
        // Whoever is not sure whether it was made sends the same again, and is told the same.
        let made = async { self.identities.create(new, self.now()).await.map(drop) };
        let reply = self.change(permit.caller(), &login, deed, made).await?;
        let mut reply = Reply { status: StatusCode::CREATED, ..reply };
        document::insert(&mut reply.headers, LOCATION, &self.asked.base.url(&Address::User { login }));
        Ok(reply)
    }

    async fn update(&self, permit: &ManagePermit, login: &str, incoming: Incoming) -> Result<Reply, Problem> {
        let Changed { full_name, groups } = self.read(incoming).await?;
        let permit = self.served.may_still_manage(permit)?;
        let before = self.identities.users().user(login).map(|user| user.groups.clone());
        let deed = Deed::UpdateUser { user: login.to_string(), before, groups: groups.clone().into() };
        let updated = self.identities.update(login, full_name, groups, self.now());
        self.change(permit.caller(), login, deed, updated).await
    }

    async fn delete(&self, permit: &ManagePermit, login: &str) -> Result<Reply, Problem> {
        self.change(permit.caller(), login, Deed::DeleteUser(login.to_string()), self.identities.delete(login)).await
    }

    /// What administrators do with users, themselves among them.
    async fn command(
        &self,
        permit: &ManagePermit,
        login: &str,
        command: UserCommand,
        incoming: Incoming,
    ) -> Result<Reply, Problem> {
        let (identities, name) = (self.identities, login.to_string());
        match command {
            UserCommand::Enable => {
                let enabled = identities.enable(login, self.now());
                self.change(permit.caller(), login, Deed::EnableUser(name), enabled).await
            }
            UserCommand::Disable => {
                let disabled = identities.disable(login, self.now());
                self.change(permit.caller(), login, Deed::DisableUser(name), disabled).await
            }
            UserCommand::ResetPassword => {
                let Reset { new_password } = self.read(incoming).await?;
                let permit = self.served.may_still_manage(permit)?;
                let hash = identities.hash(&new_password).await?;
                let set = identities.set_password(login, hash, self.now());
                self.change(permit.caller(), login, Deed::ResetPassword(name), set).await
            }
            UserCommand::ChangePassword => self.change_password(permit.caller(), login, incoming).await,
        }
    }

    /// Gives a user another password, who shows the present one. Whoever shows a wrong one, or tries too often, was not
    /// about to change anything: that is on record as a log-in that failed, once for many.
    async fn change_password(&self, caller: &Caller, login: &str, incoming: Incoming) -> Result<Reply, Problem> {
        let (identities, address) = (self.identities, self.asked.address);
        let OwnPassword { current_password: password, new_password } = self.read(incoming).await?;
        let caller = self.served.still_let_in(caller).ok_or_else(Problem::let_in_no_more)?;
        let present = Credentials::Basic { name: login.into(), password };
        if let Err(refused) = identities.identify(present, address, self.now()).await {
            if !matches!(refused, Unidentified::Busy { .. }) {
                self.served.record_refused_log_in(address).await;
            }
            return Err(refused.into());
        }
        let set = identities.set_password(login, identities.hash(&new_password).await?, self.now());
        self.change(&caller, login, Deed::ChangePassword(login.to_string()), set).await
    }

    /// Changes the users once that is on record.
    async fn change(
        &self,
        caller: &Caller,
        login: &str,
        deed: Deed,
        change: impl Future<Output = Result<(), ChangeError>>,
    ) -> Result<Reply, Problem> {
        let on_record = self.served.users_on_record.as_ref();
        let work = async {
            let _changing = on_record.map(|on_record| on_record.changing(self.identities, login));
            change.await?;
            Ok(result(login))
        };
        self.served.recorded(self.asked, caller, deed, work).await
    }

    fn now(&self) -> Timestamp {
        (self.served.ambient.now)()
    }

    /// A body of JSON, which no form of another site can send.
    async fn read<T: DeserializeOwned>(&self, incoming: Incoming) -> Result<T, Problem> {
        let media_type = self.asked.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            let detail = "users are sent as application/json";
            return Err(Problem::new(Kind::UnsupportedMediaType, detail));
        }
        let body = body::read(incoming, self.asked.headers, &self.served.settings.body, &self.served.bodies).await?;
        // What serde says of a value may show it, and it may be a password.
        serde_json::from_slice(&body).map_err(|error| {
            let detail = "the body is not the JSON object that is expected here, with all its members as texts";
            Problem::new(Kind::InvalidBody, detail).member("line", error.line()).member("column", error.column())
        })
    }

    fn details(&self, user: &User) -> Value {
        let login = user.name.to_string();
        let url = |address| self.asked.base.url(&address);
        let command = |command: UserCommand| json!({ "href": url(Address::UserCommand { login: login.clone(), command }), "rel": command.as_str() });
        let own = |rel: &str| json!({ "href": url(Address::User { login: login.clone() }), "rel": rel });
        let other = if user.disabled { UserCommand::Enable } else { UserCommand::Disable };
        json!({
            "loginName": login,
            "fullName": user.full_name,
            "groups": groups(&user.groups),
            "dateLastUpdated": user.updated.to_string(),
            "disabled": user.disabled,
            "links": [
                command(UserCommand::ResetPassword),
                command(UserCommand::ChangePassword),
                own("edit"),
                own("delete"),
                command(other),
            ],
        })
    }

    fn data(data: &Value) -> Reply {
        Reply::json(StatusCode::OK, &json!({ "data": data, "success": true, "error": "Success" }))
    }
}

fn groups(groups: &[Arc<str>]) -> Vec<&str> {
    groups.iter().map(|group| &**group).collect()
}

fn result(login: &str) -> Reply {
    Reply::json(StatusCode::OK, &json!({ "loginName": login, "success": true, "error": "Success", "msgTypeId": 0 }))
}
