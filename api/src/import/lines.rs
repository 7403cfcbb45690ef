//! Line numbers of byte offsets.

/// Counts the lines of a text up to offsets that never go back, so that all of them together cost
/// one pass.
pub(super) struct Lines<'a> {
    rest: &'a [u8],
    at: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { rest: text, at: 0, line: 1 }
    }

    /// The line, from 1, of the byte at an offset.
    pub(super) fn line_at(&mut self, offset: usize) -> usize {
        let step = offset.saturating_sub(self.at).min(self.rest.len());
        let (passed, rest) = self.rest.split_at(step);
        self.line += passed.split(|byte| *byte == b'\n').skip(1).count();
        self.rest = rest;
        self.at += step;
        self.line
    }
}
