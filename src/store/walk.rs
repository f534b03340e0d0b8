//! Listings of one folder, and recursive listings.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, future::ready, stream, stream::BoxStream};
use object_store::path::Path;

use super::{
    error::Error,
    folder::RealPath,
    handle::Store,
    location::{Location, Service},
    object::{StoredObject, parse, stored_object},
};

impl Store {
    /// Returns the names directly below a folder: folders, then objects.
    pub async fn list(&self, folder: &str) -> Result<(Vec<String>, Vec<String>), Error> {
        let path = parse(folder)?;
        self.listable()?;
        let found = match self.request(true).list_with_delimiter(Some(&path)).await {
            Ok(found) => found,
            Err(error) if Self::is_absent(&error) => return Ok((Vec::new(), Vec::new())),
            Err(error) => return Err(self.failed("list", folder, error)),
        };
        let name = |path: &Path| path.filename().map(ToOwned::to_owned);
        let mut folders: Vec<String> = found.common_prefixes.iter().filter_map(name).collect();
        let mut objects: Vec<String> =
            found.objects.iter().filter_map(|object| name(&object.location)).collect();
        folders.sort_unstable();
        objects.sort_unstable();
        Ok((folders, objects))
    }

    /// Lists everything below a folder recursively, unordered; names that are no valid object paths are skipped.
    #[must_use]
    pub fn walk(&self, folder: &str) -> BoxStream<'static, Result<StoredObject, Error>> {
        let path = match self.listable().and_then(|()| parse(folder)) {
            Ok(path) => path,
            Err(error) => return stream::once(ready(Err(error))).boxed(),
        };
        let (service, location, folder) = (self.service(), self.location.clone(), folder.to_owned());
        self.request(true)
            .list(Some(&path))
            .map_ok(move |object| stored_object(&object, service))
            .map_err(move |error| Error::failed("list", &folder, error, &location))
            .boxed()
    }

    /// Lists the objects below a folder whose paths sort after a given path, which need not exist; unordered.
    #[must_use]
    pub fn walk_after(&self, folder: &str, after: &str) -> BoxStream<'static, Result<StoredObject, Error>> {
        let paths = self.listable().and_then(|()| Ok((parse(folder)?, parse(after)?)));
        let (path, after) = match paths {
            Ok(paths) => paths,
            Err(error) => return stream::once(ready(Err(error))).boxed(),
        };
        let (service, location, folder) = (self.service(), self.location.clone(), folder.to_owned());
        self.request(true)
            .list_with_offset(Some(&path), &after)
            .map_ok(move |object| stored_object(&object, service))
            .map_err(move |error| Error::failed("list", &folder, error, &location))
            .boxed()
    }

    /// Returns the real locations of objects or folders, with all symbolic links resolved; only a folder has links.
    pub(crate) async fn real_paths(&self, paths: Vec<String>) -> Result<Vec<RealPath>, Error> {
        let Some(folder) = &self.folder else { return Ok(paths.into_iter().map(RealPath::named).collect()) };
        folder.real_paths(paths).await.map_err(|source| Error::Failed {
            action: "resolve the links in",
            path: self.location.to_string(),
            source: Box::new(source),
        })
    }

    /// Returns the maximum delay until a listing shows a write: Swift updates its containers later.
    #[must_use]
    pub fn listing_lag(&self) -> Duration {
        if self.service() == Some(Service::Swift) { Duration::from_secs(10) } else { Duration::ZERO }
    }

    /// Whether the store has listings; a web server has none, and nothing can be published there, only planned.
    #[must_use]
    pub(crate) fn is_listable(&self) -> bool {
        self.listable().is_ok()
    }

    fn listable(&self) -> Result<(), Error> {
        match &self.location {
            Location::Web(location) => Err(Error::Unlistable { location: location.clone() }),
            _ => Ok(()),
        }
    }
}
