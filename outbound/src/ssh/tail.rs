//! The end of what something prints.

/// Of what a script prints, so much is kept.
const MOST: usize = 256 * 1024;

/// Keeps the end of what is added, however much that is.
#[derive(Default)]
pub struct Tail {
    bytes: Vec<u8>,
}

impl Tail {
    /// Adds what came next.
    pub fn push(&mut self, more: &[u8]) {
        self.bytes.extend_from_slice(more);
        // Now and then, or every small piece would move all that is kept.
        if self.bytes.len() > MOST * 2 {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let extra = self.bytes.len().saturating_sub(MOST);
        self.bytes.drain(..extra);
    }

    /// All that was kept.
    pub fn into_text(mut self) -> String {
        self.cut();
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_and_memory_is_bounded() {
        let mut tail = Tail::default();
        for number in 0..300_000 {
            tail.push(format!("line {number}\n").as_bytes());
            assert!(tail.bytes.len() <= MOST * 2 + 20);
        }
        let text = tail.into_text();
        assert_eq!(text.len(), MOST);
        assert!(text.ends_with("line 299998\nline 299999\n"));
    }

    #[test]
    fn one_great_piece_is_cut_too() {
        let mut tail = Tail::default();
        tail.push(&vec![b'x'; MOST * 5]);
        tail.push(b"end");
        let text = tail.into_text();
        assert!(text.len() == MOST && text.ends_with("xend"));
    }
}
