//! Who may do what here: the rights of a stream, found in its settings, and the permits that follow.

use crate::access::{Audience, Caller, ReadPermit, StreamRights, WritePermit, governing};
use crate::event::{Acl, DefaultAcls, Order, Source, StreamName};
use crate::store::{ReadError, View};

use super::Served;
use super::problem::Problem;

impl Served {
    /// A permit to read this. Who else may is who else may have the answer.
    pub(super) async fn may_read(
        &self,
        caller: &Caller,
        source: Source,
        audience: &mut Audience,
    ) -> Result<ReadPermit, Problem> {
        let rights = self.rights(&governing(&source.stream())).await?;
        let permit = self.access.read(caller, source, &rights)?;
        *audience = permit.audience();
        Ok(permit)
    }

    /// A permit to append to a stream.
    pub(super) async fn may_write(&self, caller: &Caller, stream: StreamName) -> Result<WritePermit, Problem> {
        let rights = self.rights(&governing(&stream)).await?;
        Ok(self.access.write(caller, stream, &rights)?)
    }

    /// A permit to delete a stream.
    pub(super) async fn may_delete(&self, caller: &Caller, stream: StreamName) -> Result<WritePermit, Problem> {
        let rights = self.rights(&governing(&stream)).await?;
        Ok(self.access.delete(caller, stream, &rights)?)
    }

    /// Who may do what with a stream, as its settings are now. Nobody reads them on a server that is open.
    pub(crate) async fn rights(&self, stream: &StreamName) -> Result<StreamRights, ReadError> {
        if self.access.is_open() {
            return Ok(StreamRights::open(stream.clone()));
        }
        let view = self.store.view();
        let own = match newest(&view, stream.settings()).await? {
            Some(document) => Acl::of_settings(&document).unwrap_or_default(),
            None => Acl::default(),
        };
        let defaults = match newest(&view, StreamName::server_settings()).await? {
            Some(document) => DefaultAcls::parse(&document).unwrap_or_default(),
            None => DefaultAcls::default(),
        };
        Ok(self.access.rights(stream, &own, &defaults))
    }
}

/// What the newest event of a stream carries; none if there is none.
async fn newest(view: &View, stream: StreamName) -> Result<Option<bytes::Bytes>, ReadError> {
    let source = Source::Stream(stream);
    let Some(last) = view.head(&source)?.last() else { return Ok(None) };
    let event = view.read(&source, last, last, Order::OldestFirst, usize::MAX).await?.pop();
    Ok(event.and_then(|event| event.content).map(|content| content.data))
}
