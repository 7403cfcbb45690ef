//! Which CPUs a compute unit has, in an operator's words.

use std::fmt;

/// The greatest number of a CPU.
const GREATEST: u32 = 4_095;
/// The most CPUs of one unit.
const MOST: usize = 1_024;
/// The most characters of a range.
const MOST_CHARACTERS: usize = 100;
/// The most characters of a Unix user's name.
const MOST_OF_A_NAME: usize = 32;

/// CPUs of a host: `0-3`, every second one of `0-7:2`, `5`, or several of these with commas between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuRange {
    text: String,
    cpus: Vec<u32>,
}

impl CpuRange {
    /// Reads a range.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MOST_CHARACTERS {
            return Err(format!("a CPU range has at most {MOST_CHARACTERS} characters"));
        }
        let mut cpus = Vec::new();
        for part in text.split(',') {
            cpus.extend(one(part).ok_or_else(|| {
                format!("'{text}' is no CPU range such as 0-3, 0-7:2, 5 or 0,2,4")
            })?);
        }
        cpus.sort_unstable();
        if cpus.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(format!("'{text}' names a CPU twice"));
        }
        if cpus.len() > MOST {
            return Err(format!("'{text}' has more than {MOST} CPUs"));
        }
        let range = Self { text: text.to_owned(), cpus };
        if range.username().len() > MOST_OF_A_NAME {
            return Err(format!("'{text}' is too long for the name of a Unix user made of it"));
        }
        Ok(range)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The CPUs, ascending; at least one.
    pub fn cpus(&self) -> &[u32] {
        &self.cpus
    }

    /// How many.
    pub fn count(&self) -> u32 {
        u32::try_from(self.cpus.len()).unwrap_or(u32::MAX)
    }

    /// Its unit's part of a compute id: `c0-3`.
    pub fn in_a_name(&self) -> String {
        format!("c{}", self.text.replace(':', "-"))
    }

    /// Its unit's Unix user, as which clients log in: the same, but that no user has a comma in its name.
    pub fn username(&self) -> String {
        self.in_a_name().replace(',', "_")
    }
}

impl fmt::Display for CpuRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn one(part: &str) -> Option<Vec<u32>> {
    let (ends, step) = match part.split_once(':') {
        Some((ends, step)) => (ends, number(step)?),
        None => (part, 1),
    };
    let (from, until) = match ends.split_once('-') {
        Some((from, until)) => (number(from)?, number(until)?),
        // A step makes no sense without an end.
        None if part.contains(':') => return None,
        None => (number(ends)?, number(ends)?),
    };
    if from > until || until > GREATEST {
        return None;
    }
    let step = usize::try_from(step).ok().filter(|step| *step > 0)?;
    Some((from..=until).step_by(step).collect())
}

/// One spelling for each number, so that the same CPUs are not two units by name.
fn number(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let good = plain && (text == "0" || !text.starts_with('0'));
    good.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_cpus_is_read() {
        for (text, cpus, in_a_name, username) in [
            ("0-3", vec![0, 1, 2, 3], "c0-3", "c0-3"),
            ("0-7:2", vec![0, 2, 4, 6], "c0-7-2", "c0-7-2"),
            ("5", vec![5], "c5", "c5"),
            ("0,2,4", vec![0, 2, 4], "c0,2,4", "c0_2_4"),
            ("8-9,0-1", vec![0, 1, 8, 9], "c8-9,0-1", "c8-9_0-1"),
            ("4095", vec![4_095], "c4095", "c4095"),
        ] {
            let range = CpuRange::parse(text).unwrap();
            assert_eq!(range.cpus(), cpus, "{text}");
            assert_eq!(range.as_str(), text);
            assert_eq!(
                (range.in_a_name().as_str(), range.username().as_str()),
                (in_a_name, username)
            );
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "",
            "-",
            "a",
            "0-",
            "-3",
            "3-0",
            "0-3:",
            "0-3:0",
            "5:2",
            "0--3",
            "0-3-5",
            "+1",
            " 1",
            "1 ",
            "01",
            "0,0",
            "0-3,2",
            ",",
            "0,",
            "4096",
            "0-4096",
            "0-1024",
            "99999999999",
            "١",
            "0-3;x",
            "0,2,4,6,8,10,12,14,16,18,20,22,24",
        ] {
            assert!(CpuRange::parse(text).is_err(), "{text}");
        }
    }
}
