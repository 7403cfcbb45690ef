//! Parts of the world and their countries (ISO 3166-1; grouped as the United Nations' M49 standard does, with
//! its Northern America, Central America and Caribbean as North America).

/// A part of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continent {
    /// Africa.
    Africa,
    /// Asia.
    Asia,
    /// Europe.
    Europe,
    /// North and Central America, and the Caribbean.
    NorthAmerica,
    /// Australia, New Zealand and the islands of the Pacific.
    Oceania,
    /// South America.
    SouthAmerica,
}

const AFRICA: &str = "AO BF BI BJ BW CD CF CG CI CM CV DJ DZ EG EH ER ET GA GH GM GN GQ GW IO KE KM LR LS LY \
    MA MG ML MR MU MW MZ NA NE NG RE RW SC SD SH SL SN SO SS ST SZ TD TF TG TN TZ UG YT ZA ZM ZW";
const ASIA: &str = "AE AF AM AZ BD BH BN BT CN CY GE HK ID IL IN IQ IR JO JP KG KH KP KR KW KZ LA LB LK MM \
    MN MO MV MY NP OM PH PK PS QA SA SG SY TH TJ TL TM TR TW UZ VN YE";
const EUROPE: &str = "AD AL AT AX BA BE BG BY CH CZ DE DK EE ES FI FO FR GB GG GI GR HR HU IE IM IS IT JE LI \
    LT LU LV MC MD ME MK MT NL NO PL PT RO RS RU SE SI SJ SK SM UA VA XK";
const NORTH_AMERICA: &str = "AG AI AW BB BL BM BQ BS BZ CA CR CU CW DM DO GD GL GP GT HN HT JM KN KY LC MF \
    MQ MS MX NI PA PM PR SV SX TC TT US VC VG VI";
const OCEANIA: &str =
    "AS AU CC CK CX FJ FM GU HM KI MH MP NC NF NR NU NZ PF PG PN PW SB TK TO TV UM VU WF WS";
const SOUTH_AMERICA: &str = "AR BO BR BV CL CO EC FK GF GS GY PE PY SR UY VE";

impl Continent {
    /// Every part of the world but the Antarctic.
    pub const ALL: [Self; 6] = [
        Self::Africa,
        Self::Asia,
        Self::Europe,
        Self::NorthAmerica,
        Self::Oceania,
        Self::SouthAmerica,
    ];

    /// Its English name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Africa => "Africa",
            Self::Asia => "Asia",
            Self::Europe => "Europe",
            Self::NorthAmerica => "North America",
            Self::Oceania => "Oceania",
            Self::SouthAmerica => "South America",
        }
    }

    /// The part of the world of this English name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|continent| continent.as_str() == text)
    }

    /// Its countries (ISO 3166-1 alpha-2).
    pub fn countries(self) -> impl Iterator<Item = &'static str> {
        let all = match self {
            Self::Africa => AFRICA,
            Self::Asia => ASIA,
            Self::Europe => EUROPE,
            Self::NorthAmerica => NORTH_AMERICA,
            Self::Oceania => OCEANIA,
            Self::SouthAmerica => SOUTH_AMERICA,
        };
        all.split_whitespace()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_country_is_in_one_part_of_the_world() {
        let all: Vec<&str> = Continent::ALL.into_iter().flat_map(Continent::countries).collect();
        assert!(all.iter().all(|code| crate::text::is_country(code)));
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        // All 249 codes of ISO 3166-1 but AQ, and XK, which is in use for Kosovo.
        assert_eq!(all.len(), 249);
    }
}
