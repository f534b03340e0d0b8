//! The images of the installer: those that a listed `SHA256SUMS` names.

use futures::{StreamExt as _, stream};

use super::{
    findings::Findings,
    pool::{Named, Pool},
};
use crate::{
    dists::subset::Carried,
    store,
    suite::{archive::Archive, error::Error, images, published::PublishedSuite},
};

/// How many files are looked up concurrently.
const AT_ONCE: usize = 16;

impl Archive {
    /// Adds the images of a suite to the files to be read; each must exist.
    pub(super) async fn add_images(
        &self,
        (published, carried): (&PublishedSuite, &Carried),
        pool: &mut Pool,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let images = match images::all(published, carried).await {
            Ok(images) => images,
            Err(Error::Store(error)) if !self.is_on_the_web() => return Err(error.into()),
            // The list itself is checked as a listed file.
            Err(_) => return Ok(()),
        };
        let looks = stream::iter(images).map(|(path, image)| async move {
            let size = self.store.size(&path).await;
            (path, image, size)
        });
        let mut looks = looks.buffered(AT_ONCE);
        while let Some((path, image, size)) = looks.next().await {
            match size {
                Ok(Some(size)) => {
                    pool.insert(path, Named::of_image(size, &image));
                }
                Ok(None) => {
                    findings.files += 1;
                    findings.fault(path, format!("it is missing, although `{}` names it", image.list));
                }
                Err(error) => self.image_refused(&path, error, findings)?,
            }
        }
        Ok(())
    }

    fn image_refused(&self, path: &str, error: store::Error, findings: &mut Findings) -> Result<(), Error> {
        self.refused::<()>(path, error, findings).map(drop)
    }
}
