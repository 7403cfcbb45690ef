use async_trait::async_trait;

use super::{Image, ImageCode, ImageId};
use crate::error::Result;
use crate::page::Page;

/// Looks at images, listed or not.
#[async_trait]
pub trait ImageQueries {
    /// The image.
    async fn image(&self, id: ImageId) -> Result<Option<Image>>;

    /// The image that has this code.
    async fn image_coded(&self, code: &ImageCode) -> Result<Option<Image>>;

    /// Images by code; only those that are listed, or all.
    async fn images(&self, listed_only: bool, page: &Page<ImageCode>) -> Result<Vec<Image>>;

    /// Listed images whose name, code or category contains the text searched for, in whatever case, by code:
    /// up to `limit` after the first `skip`.
    async fn listed_images(
        &self,
        search: Option<&str>,
        (skip, limit): (u32, u32),
    ) -> Result<Vec<Image>>;
}

/// Changes images.
#[async_trait]
pub trait Images {
    /// The image, locked until the transaction ends.
    async fn image_for_update(&self, code: &ImageCode) -> Result<Option<Image>>;

    /// Adds an image; [`crate::Error::Contention`] where somebody was faster.
    async fn add_image(&self, image: &Image) -> Result<()>;

    /// Stores a locked image.
    async fn save_image(&self, image: &Image) -> Result<()>;
}
