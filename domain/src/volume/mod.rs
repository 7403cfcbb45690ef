//! Volumes: disks that outlive an instance.

use crate::id::entity_id;

entity_id!(
    /// Identifies a volume.
    VolumeId
);
