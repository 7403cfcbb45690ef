//! Looks at images.

use super::{Image, ImageCode, ImageId};
use crate::error::{Error, Result, Thing};
use crate::number::{self, Numbered};
use crate::page::{Page, Paged};
use crate::store::Store;
use crate::token::Permission;
use crate::user::{Caller, Operator, may_if_known};

/// Listed images by code. Anybody may look; only credentials that came along are checked.
pub async fn list(
    store: &dyn Store,
    caller: Option<&Caller>,
    page: Page<ImageCode>,
) -> Result<Paged<Image, ImageCode>> {
    may_if_known(caller, Permission::MarketplaceRead)?;
    find(store, true, page).await
}

/// Every image by code, for operators.
pub async fn all(
    store: &dyn Store,
    operator: &Operator,
    page: Page<ImageCode>,
) -> Result<Paged<Image, ImageCode>> {
    operator.may(Permission::AdminRead)?;
    find(store, false, page).await
}

async fn find(
    store: &dyn Store,
    listed_only: bool,
    page: Page<ImageCode>,
) -> Result<Paged<Image, ImageCode>> {
    let limit = page.limit;
    let fetch = Page { limit: page.limit_and_one(), after: page.after };
    let rows = store.reads().images(listed_only, &fetch).await?;
    Ok(Paged::cut(rows, limit, None, |image| image.code.clone()))
}

/// One listed image.
pub async fn show(store: &dyn Store, caller: Option<&Caller>, code: &ImageCode) -> Result<Image> {
    may_if_known(caller, Permission::MarketplaceRead)?;
    let image = store.reads().image_coded(code).await?;
    image.filter(|image| image.is_listed).ok_or(Error::NotFound(Thing::Image))
}

/// The listed image that has this whole number.
pub async fn numbered(store: &dyn Store, caller: &Caller, number: i64) -> Result<Image> {
    caller.may(Permission::MarketplaceRead)?;
    let unknown = || Error::NotFound(Thing::Image);
    let id = store.reads().numbered(Numbered::Image, number).await?.ok_or_else(unknown)?;
    let image = store.reads().image(ImageId::from_uuid(id)).await?;
    image.filter(|image| image.is_listed).ok_or_else(unknown)
}

/// A part of the listed images by code, each with its whole number: up to `limit` after the first `skip` of
/// those whose name, code or category contains the text searched for. Containers and virtual machines are
/// made from the same images.
pub async fn part(
    store: &dyn Store,
    caller: Option<&Caller>,
    search: Option<&str>,
    part: (u32, u32),
) -> Result<Vec<(Image, i64)>> {
    may_if_known(caller, Permission::MarketplaceRead)?;
    let images = store.reads().listed_images(search, part).await?;
    let ids: Vec<_> = images.iter().map(|image| image.id.uuid()).collect();
    let numbers = number::each(store, Numbered::Image, &ids).await?;
    Ok(images.into_iter().zip(numbers).collect())
}
