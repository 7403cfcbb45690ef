use async_trait::async_trait;

use super::{Template, TemplateId, TemplateSummary};
use crate::error::Result;
use crate::page::Page;
use crate::pool::PoolId;
use crate::user::Viewer;

/// Whose templates are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateScope {
    /// Those of the pools that somebody is an accepted member of; of one of these, if one is given.
    Own(Viewer, Option<PoolId>),
    /// The operator's.
    Global,
    /// Both: those of somebody's pools, and the operator's.
    Seen(Viewer),
}

/// Which templates are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateFilter {
    /// Whose.
    pub scope: TemplateScope,
    /// What their names or images contain, without regard to case.
    pub search: Option<String>,
}

/// What names one template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateKey {
    /// Its id.
    Id(TemplateId),
    /// Its whole number.
    Number(i64),
}

/// Looks at templates.
#[async_trait]
pub trait TemplateQueries {
    /// The template, if it is within the scope.
    async fn template(&self, scope: TemplateScope, key: TemplateKey) -> Result<Option<Template>>;

    /// Templates that pass the filter, newest first.
    async fn templates(
        &self,
        filter: &TemplateFilter,
        page: &Page<TemplateId>,
    ) -> Result<Vec<TemplateSummary>>;

    /// The same in whole: up to so many (the second number) after the first few (the first one).
    async fn templates_part(
        &self,
        filter: &TemplateFilter,
        part: (u32, u32),
    ) -> Result<Vec<Template>>;

    /// How many templates pass the filter.
    async fn template_count(&self, filter: &TemplateFilter) -> Result<u64>;

    /// How many templates the pool has; without a pool, the operator.
    async fn template_count_of(&self, pool_id: Option<PoolId>) -> Result<u64>;
}

/// Changes templates. Lock their pool before; the operator's are locked by themselves.
#[async_trait]
pub trait Templates {
    /// The operator's template, locked until the transaction ends.
    async fn global_template_for_update(&self, id: TemplateId) -> Result<Option<Template>>;

    /// Adds a template.
    async fn add_template(&self, template: &Template) -> Result<()>;

    /// Stores a template.
    async fn save_template(&self, template: &Template) -> Result<()>;

    /// Deletes a template. Its number is given to nothing else.
    async fn delete_template(&self, id: TemplateId) -> Result<()>;
}
