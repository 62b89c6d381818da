//! A server that asks who is calling, and users who call it.

use std::path::Path;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{PATIENCE, Reply, TestServer};

/// A server with access on, and the passwords that its first start told.
pub(crate) struct WithAccess {
    pub(crate) server: TestServer,
    admin: String,
    ops: String,
}

/// The Authorization header of somebody with a password.
pub(crate) fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

/// What a user of these tests has for a password.
pub(crate) fn password_of(name: &str) -> String {
    format!("{name}'s own password")
}

impl TestServer {
    /// Starts a server over an empty directory, with access on and these settings besides, which knows these users, each
    /// with groups; `admin` and `ops` it knows anyway.
    pub(crate) fn start_with_access(data: &Path, settings: &[(&str, &str)], users: &[(&str, &[&str])]) -> WithAccess {
        let settings: Vec<_> = [("access.enabled", "true")].iter().chain(settings).copied().collect();
        let server = Self::start_with(data, &settings);
        let told = server.logged("first start");
        let password = |name: &str| told[name].as_str().expect("a password").to_string();
        let with_access = WithAccess { admin: password("admin"), ops: password("ops"), server };
        for (name, groups) in users {
            let user = json!({ "loginName": name, "fullName": "", "groups": groups, "password": password_of(name) });
            let json = [("Content-Type", "application/json")];
            let made = with_access.send_as("admin", "POST", "/users", &json, user.to_string().as_bytes());
            assert_eq!(made.status, 201, "{name}: {}", made.text());
        }
        with_access
    }

    /// The first log line that holds this. The log is read on another thread, so it may be a moment behind.
    #[track_caller]
    pub(crate) fn logged(&self, text: &str) -> Value {
        let started = Instant::now();
        loop {
            if let Some(line) = self.log().iter().find(|line| line.contains(text)) {
                return serde_json::from_str(line).expect("the log is JSON");
            }
            assert!(started.elapsed() < PATIENCE, "{text:?} is not in the log: {:#?}", self.log());
            std::thread::yield_now();
        }
    }
}

impl std::ops::Deref for WithAccess {
    type Target = TestServer;

    fn deref(&self) -> &TestServer {
        &self.server
    }
}

impl WithAccess {
    /// The Authorization header of a user; of nobody in particular if the name is empty.
    pub(crate) fn authorization(&self, user: &str) -> Option<String> {
        (!user.is_empty()).then(|| basic(user, &self.password(user)))
    }

    /// A user's name and password, as commands take them.
    pub(crate) fn log_in(&self, user: &str) -> String {
        format!("{user}:{}", self.password(user))
    }

    fn password(&self, user: &str) -> String {
        match user {
            "admin" => self.admin.clone(),
            "ops" => self.ops.clone(),
            _ => password_of(user),
        }
    }

    /// Stops it, and starts it again over the same directory.
    pub(crate) fn restart(self, data: &Path, settings: &[(&str, &str)]) -> Self {
        self.restarted_after(data, settings, || ())
    }

    /// The same, with something done to the directory in between.
    pub(crate) fn restarted_after(self, data: &Path, settings: &[(&str, &str)], between: impl FnOnce()) -> Self {
        let Self { server, admin, ops } = self;
        assert_eq!(server.stop(), Some(0));
        between();
        let settings: Vec<_> = [("access.enabled", "true")].iter().chain(settings).copied().collect();
        Self { server: TestServer::start_with(data, &settings), admin, ops }
    }

    pub(crate) fn send_as(&self, user: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let authorization = self.authorization(user);
        let mut all = headers.to_vec();
        all.extend(authorization.as_deref().map(|value| ("Authorization", value)));
        self.server.send(method, path, &all, body)
    }

    pub(crate) fn get_as(&self, user: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.send_as(user, "GET", path, headers, b"")
    }

    pub(crate) fn post_as(&self, user: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        self.send_as(user, "POST", path, headers, body)
    }

    /// Gives a stream these settings.
    #[track_caller]
    pub(crate) fn set(&self, stream: &str, settings: &Value) {
        let json = [("Content-Type", "application/json")];
        let path = format!("/streams/{stream}/metadata");
        let reply = self.post_as("admin", &path, &json, settings.to_string().as_bytes());
        assert_eq!(reply.status, 201, "{}", reply.text());
    }

    /// Appends one event to a stream.
    #[track_caller]
    pub(crate) fn append_as(&self, user: &str, stream: &str, data: &str) -> Reply {
        self.post_as(user, &format!("/streams/{stream}"), &[("Content-Type", "application/json")], data.as_bytes())
    }
}
