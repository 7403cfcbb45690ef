//! Hosts: the operator's machines. What the native surface calls a server.

mod catalogue;
mod listing;
mod port;
mod pricing;
mod sla;
mod specs;

use serde::{Deserialize, Serialize};

pub use catalogue::{
    Browse, CHANGES_SEEN_WITHIN, CpuScore, Facet, Facets, Filters, Sort, SortKey, browse, facets,
    generation, offer,
};
pub use listing::{Change, EditHost, HostDraft, Imported, all, edit, enlist, import, retire, show};
pub use port::{Catalogue, HostQueries, Hosts};
pub use pricing::{Pricing, Tier};
pub use sla::Sla;
pub use specs::{
    Category, Cpu, Disk, DiskType, Location, Network, RamType, Score, ScoreType, Specs,
};

use crate::clock::Timestamp;
use crate::error::{Conflict, Error, Result};
use crate::id::entity_id;
use crate::rental::RentalId;
use crate::user::UserId;

entity_id!(
    /// Identifies a host.
    HostId
);

/// A machine that can be rented as a whole, and its prices.
#[derive(Clone, Debug, PartialEq)]
pub struct Host {
    /// Identifies the host.
    pub id: HostId,
    /// The operator's own identifier, by which an import finds it again.
    pub external_id: Option<String>,
    /// What it is and where.
    pub specs: Specs,
    /// What it costs.
    pub pricing: Pricing,
    /// Whose machine it is, where it is not the operator's own.
    pub supplier_id: Option<UserId>,
    /// What is promised about downtime to who rents it from now on.
    pub sla: Option<Sla>,
    /// Whether the operator offers it. A retired host keeps its rental to the end of its time.
    pub is_listed: bool,
    /// Who has it.
    pub occupancy: Occupancy,
    /// When it was first listed.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Who has a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Occupancy {
    /// Nobody.
    Free,
    /// A live rental.
    Rented(RentalId),
    /// Nobody, until the data of this ended rental are wiped.
    Cleaning(RentalId),
}

impl Host {
    /// Whether it can be rented now.
    pub fn is_available(&self) -> bool {
        self.is_listed && self.occupancy == Occupancy::Free
    }

    /// Whether people see it on the marketplace: it can be rented, and it has a price.
    pub fn is_offered(&self) -> bool {
        self.is_available() && self.pricing.tiers().next().is_some()
    }

    /// Whether the data of an ended rental are being wiped.
    pub const fn is_cleaning(&self) -> bool {
        matches!(self.occupancy, Occupancy::Cleaning(_))
    }

    /// Gives the host to a rental.
    pub fn rent_to(self, rental_id: RentalId) -> Result<Self> {
        if self.is_available() {
            Ok(Self { occupancy: Occupancy::Rented(rental_id), ..self })
        } else {
            Err(Error::Conflict(Conflict::ServerUnavailable))
        }
    }

    /// Takes the host back from an ended rental; it must be wiped before anybody else gets it.
    #[must_use]
    pub fn release_from(self, rental_id: RentalId) -> Self {
        match self.occupancy {
            Occupancy::Rented(by) if by == rental_id => {
                Self { occupancy: Occupancy::Cleaning(rental_id), ..self }
            }
            Occupancy::Rented(_) | Occupancy::Cleaning(_) | Occupancy::Free => self,
        }
    }

    /// Notes that the ended rental's data are gone.
    #[must_use]
    pub fn cleaned_after(self, rental_id: RentalId) -> Self {
        match self.occupancy {
            Occupancy::Cleaning(by) if by == rental_id => {
                Self { occupancy: Occupancy::Free, ..self }
            }
            Occupancy::Rented(_) | Occupancy::Cleaning(_) | Occupancy::Free => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{host, rental_id};

    #[test]
    fn a_rented_host_cannot_be_rented_again_until_it_is_wiped() {
        let (first, second) = (rental_id(1), rental_id(2));
        let rented = host().rent_to(first).unwrap();
        assert!(rented.clone().rent_to(second).is_err());
        let cleaning = rented.release_from(first);
        assert!(cleaning.clone().rent_to(second).is_err());
        assert!(cleaning.clone().cleaned_after(second).rent_to(second).is_err());
        assert!(cleaning.cleaned_after(first).rent_to(second).is_ok());
    }

    #[test]
    fn a_retired_host_is_not_rented() {
        let retired = Host { is_listed: false, ..host() };
        assert!(retired.rent_to(rental_id(1)).is_err());
    }
}
