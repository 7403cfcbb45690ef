//! Cores and threads of processors that a file names only by their model.

/// Compiled in: `model,cores,threads` a line.
const TABLE: &str = include_str!("../../../catalogue/cpu-models.csv");

/// The cores and threads of one processor, if the model is known.
pub(super) fn cores_and_threads(model: &str) -> Option<(u32, u32)> {
    TABLE.lines().skip(1).find_map(|line| {
        let mut cells = line.split(',');
        let known = cells.next()?.eq_ignore_ascii_case(model);
        let cores = cells.next()?.parse().ok()?;
        let threads = cells.next()?.parse().ok()?;
        known.then_some((cores, threads))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_found_again() {
        let models: Vec<&str> = TABLE.lines().skip(1).filter_map(|l| l.split(',').next()).collect();
        assert_eq!(models.len(), 26);
        for model in models {
            let (cores, threads) = cores_and_threads(model).unwrap();
            assert!((cores..=2 * cores).contains(&threads), "{model}");
        }
        assert_eq!(cores_and_threads("AMD EPYC 7502P"), Some((32, 64)));
        assert_eq!(cores_and_threads("Intel Core i9-12900K"), Some((16, 24)));
        assert_eq!(cores_and_threads("model"), None);
    }
}
