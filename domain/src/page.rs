//! Keyset paging: a page begins behind a known row, so rows that come and go shift nothing.

/// Which part of a list is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<Key> {
    /// The last row already seen.
    pub after: Option<Key>,
    /// How many rows; all where it is `None`.
    pub limit: Option<u32>,
}

impl<Key> Page<Key> {
    /// One more row than wanted, which tells whether there is a next page.
    pub fn limit_and_one(&self) -> Option<u32> {
        self.limit.map(|limit| limit.saturating_add(1))
    }

    /// How many rows the whole list has, if that can be told from those fetched by
    /// [`Page::limit_and_one`].
    pub fn whole<Row>(&self, rows: &[Row]) -> Option<u64> {
        let count = u64::try_from(rows.len()).ok()?;
        let is_whole = self.limit.is_none_or(|limit| count <= u64::from(limit));
        (self.after.is_none() && is_whole).then_some(count)
    }
}

/// A part of a list.
#[derive(Clone, Debug)]
pub struct Paged<Row, Key> {
    /// The rows.
    pub rows: Vec<Row>,
    /// The key to ask the next page with; `None` at the end of the list.
    pub next: Option<Key>,
    /// How many rows the whole list has; `None` where it was not counted.
    pub total: Option<u64>,
}

impl<Row, Key> Paged<Row, Key> {
    /// Cuts the surplus row that [`Page::limit_and_one`] asked for.
    pub fn cut(
        mut rows: Vec<Row>,
        limit: Option<u32>,
        total: Option<u64>,
        key: impl Fn(&Row) -> Key,
    ) -> Self {
        let wanted = limit.and_then(|limit| usize::try_from(limit).ok());
        let more = wanted.is_some_and(|wanted| rows.len() > wanted);
        if let Some(wanted) = wanted {
            rows.truncate(wanted);
        }
        let next = if more { rows.last().map(key) } else { None };
        Self { rows, next, total }
    }
}
