//! Who may do what here: the rights of a stream, found in its settings, and the permits that follow.
//!
//! What was found is kept, with what it followed from: the event that changed the stream's settings last, what
//! `$settings` says, and the rules. While these are the newest it holds, so a change counts for the very next request, and
//! all other requests read nothing. On a server that is open nobody looks.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::access::{Audience, Caller, Denied, ManagePermit, ReadPermit, Rules, StreamRights, WritePermit, governing};
use crate::event::{Acl, DefaultAcls, Number, Order, Position, Source, Status, StreamName};
use crate::store::{ReadError, View};

use super::Served;
use super::problem::{Kind, Problem};

/// Memory for the rights of streams.
const CACHE_BYTES: u64 = 16 << 20;

/// What the rights of a stream take beside its name and its own settings.
const BYTES_EACH: usize = 512;

/// What has been found out about rights.
pub(super) struct KnownRights {
    open: Arc<StreamRights>,
    defaults: ArcSwap<Defaults>,
    streams: Cache<StreamName, Arc<Known>, ByNames>,
}

/// What `$settings` says.
struct Defaults {
    /// How long the log was when this was looked at.
    log_next: Position,
    /// How long `$settings` was.
    next: Number,
    acls: Arc<DefaultAcls>,
}

/// The rights of a stream, and what they follow from.
struct Known {
    /// What changed the stream's settings last; none for a stream that never had any.
    changed_at: Option<Position>,
    defaults: Arc<DefaultAcls>,
    rules: Arc<Rules>,
    rights: Arc<StreamRights>,
    own_bytes: usize,
}

/// All that the rights of every stream follow from at one moment.
pub(super) struct Basis {
    view: View,
    rules: Arc<Rules>,
    defaults: Arc<DefaultAcls>,
}

/// A moment's basis, as far as it takes to see whether another one is the same.
#[derive(Debug)]
pub(super) struct Moment {
    settings_known_to: Position,
    rules: Arc<Rules>,
    defaults: Arc<DefaultAcls>,
}

impl Basis {
    pub(super) fn moment(&self) -> Moment {
        let settings_known_to = self.view.retentions_known_to();
        Moment { settings_known_to, rules: self.rules.clone(), defaults: self.defaults.clone() }
    }

    /// Whether all rights are as they were then.
    pub(super) fn is_as_at(&self, then: &Moment) -> bool {
        self.view.retentions_known_to() == then.settings_known_to
            && Arc::ptr_eq(&self.rules, &then.rules)
            && Arc::ptr_eq(&self.defaults, &then.defaults)
    }
}

#[derive(Debug, Clone)]
struct ByNames;

impl Weighter<StreamName, Arc<Known>> for ByNames {
    fn weight(&self, stream: &StreamName, known: &Arc<Known>) -> u64 {
        (BYTES_EACH + 2 * stream.as_str().len() + known.own_bytes) as u64
    }
}

/// Of a stream that says something with its newest event alone.
enum Newest {
    /// Nobody ever wrote to it.
    None,
    /// What it says, and that was removed.
    Removed,
    Said(Bytes),
}

/// What is read for an answer, and who else may have that.
pub(super) struct Reading {
    /// None where nothing is protected.
    read: Option<(Source, AsOf)>,
    pub(super) audience: Audience,
}

/// All that rights follow from.
struct AsOf {
    log_next: Position,
    rules: Arc<Rules>,
}

impl Default for Reading {
    /// Nobody else may have the answer unless something says that everybody may.
    fn default() -> Self {
        Self { read: None, audience: Audience::Some }
    }
}

impl KnownRights {
    pub(super) fn new() -> Self {
        let nothing = Defaults { log_next: Position::ZERO, next: Number::ZERO, acls: Arc::default() };
        let streams_about = CACHE_BYTES as usize / BYTES_EACH;
        Self {
            open: Arc::new(StreamRights::OPEN),
            defaults: ArcSwap::from_pointee(nothing),
            streams: Cache::with_weighter(streams_about, CACHE_BYTES, ByNames),
        }
    }

    /// What `$settings` says. It is looked for only where the log has grown.
    async fn defaults(&self, view: &View) -> Result<Arc<DefaultAcls>, ReadError> {
        let known = self.defaults.load_full();
        let log_next = view.log().next;
        if known.log_next == log_next {
            return Ok(known.acls.clone());
        }
        let source = Source::Stream(StreamName::server_settings());
        let next = view.head(&source)?.next;
        let acls = if next == known.next {
            known.acls.clone()
        } else {
            match newest(view, &source).await? {
                Newest::None => Arc::default(),
                Newest::Removed => Arc::new(DefaultAcls::nobody()),
                Newest::Said(document) => Arc::new(DefaultAcls::parse(&document).unwrap_or_else(|why| {
                    tracing::warn!(%why, "the newest event of $settings is none, so only $admins have rights by it");
                    DefaultAcls::nobody()
                })),
            }
        };
        self.defaults.store(Arc::new(Defaults { log_next, next, acls: acls.clone() }));
        Ok(acls)
    }
}

impl Served {
    /// A permit to read this, or nothing where it is a secret whether it is there. Who else may is who else may have the
    /// answer.
    pub(super) async fn may_read(
        &self,
        caller: &Caller,
        source: Source,
        reading: &mut Reading,
    ) -> Result<ReadPermit, Problem> {
        let as_of = self.as_of();
        let rights = self.rights_over(|| governing(&source.stream())).await?;
        let permit = match self.access.read(caller, source.clone(), &rights) {
            Err(_) if self.settings.secret_existence => {
                reading.audience = self.audience_of_nothing(&source).await?;
                return Ok(self.access.read_nothing(caller, &source));
            }
            decided => decided?,
        };
        reading.read = as_of.map(|as_of| (source, as_of));
        reading.audience = permit.audience();
        Ok(permit)
    }

    /// Who else might have this if it had never been written to. What is hidden must be as what is not there in this, too.
    async fn audience_of_nothing(&self, source: &Source) -> Result<Audience, Problem> {
        let Some(rules) = self.access.rules() else { return Ok(Audience::Everybody) };
        let defaults = self.known_rights.defaults(&self.store.view()).await?;
        let rights = self.access.rights(&governing(&source.stream()), &Acl::default(), &rules, &defaults);
        let everybodys = self.access.read(&Caller::anonymous(), source.clone(), &rights);
        Ok(everybodys.map_or(Audience::Some, |permit| permit.audience()))
    }

    /// Who else may have what was read, now that it has been. Rights may have been taken in the meantime, and the answer
    /// may show what came after that: so those count that hold at the end.
    pub(super) async fn may_still_read(&self, caller: &Caller, reading: Reading) -> Result<Audience, Problem> {
        let Reading { read, audience } = reading;
        let Some((source, then)) = read else { return Ok(audience) };
        let is_as_then = |now: AsOf| now.log_next == then.log_next && Arc::ptr_eq(&now.rules, &then.rules);
        if self.as_of().is_some_and(is_as_then) {
            return Ok(audience);
        }
        let rights = self.rights_over(|| governing(&source.stream())).await?;
        match self.access.read(caller, source, &rights) {
            Err(_) if self.settings.secret_existence => Err(Problem::nothing_to_see()),
            decided => Ok(audience.max(decided?.audience())),
        }
    }

    fn as_of(&self) -> Option<AsOf> {
        self.access.rules().map(|rules| AsOf { log_next: self.store.view().log().next, rules })
    }

    /// The permit as it would be given to this caller now; none if it would not.
    pub(super) async fn renewed(&self, caller: &Caller, permit: &ReadPermit) -> Result<Option<ReadPermit>, ReadError> {
        let source = permit.source().clone();
        let rights = self.rights(&governing(&source.stream())).await?;
        Ok(self.access.read(caller, source, &rights).ok())
    }

    /// The caller as users and tokens are now; none for one who would not be let in any more.
    pub(super) fn still_let_in(&self, caller: &Caller) -> Option<Caller> {
        match &self.identities {
            Some(identities) => identities.renewed(caller, (self.ambient.now)()),
            None => Some(caller.clone()),
        }
    }

    /// A permit to append to a stream.
    pub(super) async fn may_write(&self, caller: &Caller, stream: StreamName) -> Result<WritePermit, Problem> {
        let rights = self.rights_over(|| governing(&stream)).await?;
        let denied = match self.access.write(caller, stream.clone(), &rights) {
            Ok(permit) => return Ok(permit),
            Err(denied) => denied,
        };
        Err(self.told_or_hidden(caller, &stream, &rights, denied))
    }

    /// The same permit, as it would be given now: what is sent may take its time, and a right that was taken in the
    /// meantime changes nothing any more.
    pub(super) async fn may_still_write(&self, permit: &WritePermit) -> Result<WritePermit, Problem> {
        let caller = self.still_let_in(permit.caller()).ok_or_else(Problem::let_in_no_more)?;
        self.may_write(&caller, permit.stream().clone()).await
    }

    /// The same of a permit to manage users.
    pub(super) fn may_still_manage(&self, permit: &ManagePermit) -> Result<ManagePermit, Problem> {
        let caller = self.still_let_in(permit.caller()).ok_or_else(Problem::let_in_no_more)?;
        Ok(self.access.manage_users(&caller)?)
    }

    /// A permit to delete a stream.
    pub(super) async fn may_delete(&self, caller: &Caller, stream: StreamName) -> Result<WritePermit, Problem> {
        let rights = self.rights_over(|| governing(&stream)).await?;
        let denied = match self.access.delete(caller, stream.clone(), &rights) {
            Ok(permit) => return Ok(permit),
            Err(denied) => denied,
        };
        Err(self.told_or_hidden(caller, &stream, &rights, denied))
    }

    /// A permit to erase events of a stream.
    pub(super) async fn may_erase(&self, caller: &Caller, stream: StreamName) -> Result<WritePermit, Problem> {
        let rights = self.rights_over(|| governing(&stream)).await?;
        let denied = match self.access.erase(caller, stream.clone(), &rights) {
            Ok(permit) => return Ok(permit),
            Err(denied) => denied,
        };
        Err(self.told_or_hidden(caller, &stream, &rights, denied))
    }

    /// Why somebody may not change a stream; where it is a secret whether it is there, only to those who can see that it
    /// is.
    fn told_or_hidden(&self, caller: &Caller, stream: &StreamName, rights: &StreamRights, denied: Denied) -> Problem {
        if !self.settings.secret_existence
            || matches!(denied, Denied::Reserved(_) | Denied::Undeletable(_) | Denied::Unerasable(_))
        {
            return denied.into();
        }
        let source = Source::Stream(governing(stream));
        let is_seen = self.access.read(caller, source.clone(), rights).is_ok()
            && self.store.view().head(&source).is_ok_and(|head| head.exists() && head.status == Status::Live);
        if is_seen { denied.into() } else { Problem::nothing_to_see() }
    }

    async fn rights_over(&self, stream: impl FnOnce() -> StreamName) -> Result<Arc<StreamRights>, Problem> {
        if self.access.is_open() {
            return Ok(self.known_rights.open.clone());
        }
        self.rights(&stream()).await.map_err(|error| {
            // Who may is not known, and might be known in a moment; it is not that everybody may.
            Problem { kind: Kind::RightsUnknown, ..Problem::from(error) }.status(Kind::RightsUnknown.status())
        })
    }

    /// Who may do what with a stream, as its settings, `$settings` and the rules are now.
    ///
    /// # Errors
    /// When its settings cannot be read. Nobody has rights then.
    pub(crate) async fn rights(&self, stream: &StreamName) -> Result<Arc<StreamRights>, ReadError> {
        match self.basis().await? {
            Some(basis) => self.rights_by(&basis, stream).await,
            None => Ok(self.known_rights.open.clone()),
        }
    }

    /// What rights follow from now; none on a server that is open. Whoever asks for many takes it once.
    ///
    /// # Errors
    /// When `$settings` cannot be read.
    pub(super) async fn basis(&self) -> Result<Option<Basis>, ReadError> {
        let Some(rules) = self.access.rules() else { return Ok(None) };
        let view = self.store.view();
        let defaults = self.known_rights.defaults(&view).await?;
        Ok(Some(Basis { view, rules, defaults }))
    }

    /// Who may do what with a stream by this.
    ///
    /// # Errors
    /// As [`Self::rights`].
    pub(super) async fn rights_by(
        &self,
        Basis { view, rules, defaults }: &Basis,
        stream: &StreamName,
    ) -> Result<Arc<StreamRights>, ReadError> {
        let known_rights = &self.known_rights;
        let changed_at = view.retention(stream).map(|retention| retention.known_to);
        if let Some(known) = known_rights.streams.get(stream)
            && known.changed_at == changed_at
            && Arc::ptr_eq(&known.defaults, defaults)
            && Arc::ptr_eq(&known.rules, rules)
        {
            return Ok(known.rights.clone());
        }
        let settings = newest(view, &Source::Stream(stream.settings())).await?;
        let own_bytes = if let Newest::Said(document) = &settings { document.len() } else { 0 };
        let own = match settings {
            Newest::None => Acl::default(),
            Newest::Said(document) => Acl::of_settings(&document).unwrap_or_else(|_| Acl::nobody()),
            // As after a deletion for ever: what its rights were is not known any more.
            Newest::Removed => Acl::nobody(),
        };
        let rights = Arc::new(self.access.rights(stream, &own, rules, defaults));
        let (rules, defaults) = (rules.clone(), defaults.clone());
        let known = Known { changed_at, defaults, rules, rights: rights.clone(), own_bytes };
        known_rights.streams.insert(stream.clone(), Arc::new(known));
        Ok(rights)
    }
}

/// What the newest event of a stream says, also where the stream is deleted.
async fn newest(view: &View, source: &Source) -> Result<Newest, ReadError> {
    let Some(last) = view.head(source)?.last() else { return Ok(Newest::None) };
    let event = view.read(source, last, last, Order::OldestFirst, usize::MAX).await?.pop();
    let content = event.and_then(|event| event.content);
    Ok(content.map_or(Newest::Removed, |content| Newest::Said(content.data)))
}
