//! Routes: the kinds of addresses, each with the template of its path, in the words of OpenAPI.
//!
//! There are few of them, whatever there are streams: `/openapi.json` describes each, and the access log names requests
//! by them. A new address has no route until [`Address::route`] says which, and a test asks for its description.

use super::{Address, Asset, BackupPart, By, Direction, Ui, UserCommand};

/// Declares the routes and the list of all of them.
macro_rules! routes {
    ($($name:ident = $template:literal;)*) => {
        /// A kind of address.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Route { $(#[doc = concat!("`", $template, "`")] $name,)* }

        impl Route {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The path, with the names of its variable parts in braces.
            #[must_use]
            pub const fn template(self) -> &'static str {
                match self { $(Self::$name => $template,)* }
            }
        }
    };
}

routes! {
    Home = "/";
    Feed = "/streams/{stream}";
    Event = "/streams/{stream}/{number}";
    Data = "/streams/{stream}/{number}/data";
    Forward = "/streams/{stream}/{number}/forward/{count}";
    Backward = "/streams/{stream}/{number}/backward/{count}";
    Incoming = "/streams/{stream}/incoming/{id}";
    Metadata = "/streams/{stream}/metadata";
    Categories = "/streams/{stream}/categories";
    Info = "/info";
    Ping = "/ping";
    Live = "/health/live";
    Ready = "/health/ready";
    Metrics = "/metrics";
    OpenApi = "/openapi.json";
    Stats = "/admin/stats";
    Seconds = "/admin/stats/seconds";
    Minutes = "/admin/stats/minutes";
    Scavenge = "/admin/scavenge";
    Compact = "/admin/compact";
    Promote = "/admin/promote";
    Streams = "/admin/streams";
    Stream = "/admin/streams/{stream}";
    Backups = "/admin/backups";
    Backup = "/admin/backups/{id}";
    BackupGroup = "/admin/backups/{id}/tail/{position}";
    BackupPiece = "/admin/backups/{id}/chunks/{chunk}/{offset}";
    BackupDigest = "/admin/backups/{id}/chunks/{chunk}/digest";
    BackupUsers = "/admin/backups/{id}/users";
    Users = "/users";
    CurrentUser = "/users/$current";
    User = "/users/{login}";
    EnableUser = "/users/{login}/command/enable";
    DisableUser = "/users/{login}/command/disable";
    ResetPassword = "/users/{login}/command/reset-password";
    ChangePassword = "/users/{login}/command/change-password";
    UiOverview = "/ui/";
    UiStream = "/ui/streams/{stream}";
    UiEvent = "/ui/streams/{stream}/{number}";
    UiNews = "/ui/news/{stream}";
    UiLogIn = "/ui/log-in";
    UiLogOut = "/ui/log-out";
    Problem = "/ui/problems/{kind}";
    Stylesheet = "/ui/everfeed.css";
    Script = "/ui/everfeed.js";
    Icon = "/ui/everfeed.svg";
}

impl Address {
    /// What kind of address it is.
    #[must_use]
    pub const fn route(&self) -> Route {
        match self {
            Self::Home => Route::Home,
            Self::Feed(_) => Route::Feed,
            Self::Event { .. } => Route::Event,
            Self::Data { .. } => Route::Data,
            Self::Page { request, .. } => match request.direction {
                Direction::Forward => Route::Forward,
                Direction::Backward => Route::Backward,
            },
            Self::Incoming { .. } => Route::Incoming,
            Self::Metadata { .. } => Route::Metadata,
            Self::Categories { .. } => Route::Categories,
            Self::Info => Route::Info,
            Self::Ping => Route::Ping,
            Self::Live => Route::Live,
            Self::Ready => Route::Ready,
            Self::Metrics => Route::Metrics,
            Self::OpenApi => Route::OpenApi,
            Self::Stats => Route::Stats,
            Self::History(By::Seconds) => Route::Seconds,
            Self::History(By::Minutes) => Route::Minutes,
            Self::Scavenge => Route::Scavenge,
            Self::Compact => Route::Compact,
            Self::Promote => Route::Promote,
            Self::Streams(_) => Route::Streams,
            Self::Stream { .. } => Route::Stream,
            Self::Backups => Route::Backups,
            Self::Backup { part, .. } => match part {
                BackupPart::Manifest => Route::Backup,
                BackupPart::Group { .. } => Route::BackupGroup,
                BackupPart::Piece { .. } => Route::BackupPiece,
                BackupPart::Digest { .. } => Route::BackupDigest,
                BackupPart::Users => Route::BackupUsers,
            },
            Self::Users => Route::Users,
            Self::CurrentUser => Route::CurrentUser,
            Self::User { .. } => Route::User,
            Self::UserCommand { command, .. } => match command {
                UserCommand::Enable => Route::EnableUser,
                UserCommand::Disable => Route::DisableUser,
                UserCommand::ResetPassword => Route::ResetPassword,
                UserCommand::ChangePassword => Route::ChangePassword,
            },
            Self::Ui(Ui::Overview { .. }) => Route::UiOverview,
            Self::Ui(Ui::Stream { .. }) => Route::UiStream,
            Self::Ui(Ui::Event { .. }) => Route::UiEvent,
            Self::Ui(Ui::News { .. }) => Route::UiNews,
            Self::Ui(Ui::LogIn) => Route::UiLogIn,
            Self::Ui(Ui::LogOut { .. }) => Route::UiLogOut,
            Self::Problem { .. } => Route::Problem,
            Self::Asset(Asset::Stylesheet) => Route::Stylesheet,
            Self::Asset(Asset::Script) => Route::Script,
            Self::Asset(Asset::Icon) => Route::Icon,
        }
    }
}
