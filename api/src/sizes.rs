//! Sizes in the units of surfaces that round them.

/// Mebibytes in what these surfaces call a gigabyte.
const MIB_PER_GB: u32 = 1_024;

/// The nearest whole number, and at least 1 of what there is.
pub fn gigabytes(mib: u32) -> u32 {
    let nearest = mib.saturating_add(MIB_PER_GB / 2) / MIB_PER_GB;
    nearest.max(u32::from(mib > 0))
}
