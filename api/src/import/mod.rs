//! placeholder
use domain::host::HostDraft;
pub struct Row {
    pub line: usize,
    pub outcome: Result<HostDraft, Vec<String>>,
}
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct ImportError;
pub fn read(_: &std::path::Path) -> Result<Vec<Row>, ImportError> {
    Ok(vec![])
}
pub fn demo() -> Result<Vec<HostDraft>, ImportError> {
    Ok(vec![])
}
