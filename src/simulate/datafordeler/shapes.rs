//! The objects in which the look-up service shows a person.

use async_graphql::dynamic::Object;

use super::dialect::Dialect;
use super::schema;
use super::schema::BOOL;
use super::schema::DATE;
use super::schema::INT;
use super::schema::Kind;
use super::schema::TEXT;
use super::schema::TIME;
use super::schema::UUID;

/// Every object of the service, as this register names and offers them.
pub(super) fn objects(dialect: &Dialect) -> Vec<Object> {
    // A type that only a left-out member showed is left out as well.
    let offered = SHAPES.iter().filter(|shape| !dialect.left_out.iter().any(|left| shows(left, shape.0)));
    let mut objects: Vec<_> = offered.map(|shape| schema::object(shape.0, &members(shape, dialect))).collect();
    objects.push(schema::object("CPRCustom_PublicSectorPerson", &person_members(dialect)));
    let mut connection = vec![("nodes", Kind::Many("CPRCustom_PublicSectorPerson"))];
    connection.extend(dialect.paged_lookup.then_some(("pageInfo", Kind::One("PageInfo"))));
    objects.push(schema::object("CPRCustom_PublicSectorPersonConnection", &connection));
    objects
}

const ROW: &[(&str, Kind)] = &[
    ("status", TEXT),
    ("virkningfra", DATE),
    ("virkningfrausikkerhedsmarkering", BOOL),
    ("virkningtil", DATE),
    ("virkningtilusikkerhedsmarkering", BOOL),
    ("registreringfra", TIME),
];

const LINES: &[(&str, Kind)] = &[
    ("adresselinie1", TEXT),
    ("adresselinie2", TEXT),
    ("adresselinie3", TEXT),
    ("adresselinie4", TEXT),
    ("adresselinie5", TEXT),
];

/// Name of a type, whether it has the dates of a row, and its own members.
type Shape = (&'static str, bool, &'static [(&'static str, Kind)]);

const SHAPES: &[Shape] = &[
    ("CPRCustom_PublicSectorPersonnummer", true, &[("personnummer", TEXT)]),
    (
        "CPRCustom_PublicSectorNavn",
        true,
        &[("adresseringsnavn", TEXT), ("fornavne", TEXT), ("mellemnavn", TEXT), ("efternavn", TEXT)],
    ),
    (
        "CPRCustom_PublicSectorAdresseoplysning",
        true,
        &[
            ("conavn", TEXT),
            ("cprAdresse", Kind::One("CPRCustom_PublicSectorCprAdresse")),
            ("supplerendeAdresse", Kind::One("CPRCustom_PublicSectorSupplerendeAdresse")),
        ],
    ),
    (
        "CPRCustom_PublicSectorCprAdresse",
        false,
        &[
            ("daradresse", UUID),
            ("bygningsnummer", TEXT),
            ("bynavn", TEXT),
            ("cprkommunekode", TEXT),
            ("cprkommunenavn", TEXT),
            ("cprvejkode", TEXT),
            ("etage", TEXT),
            ("husnummer", TEXT),
            ("postdistrikt", TEXT),
            ("postnummer", TEXT),
            ("sidedoer", TEXT),
            ("vejadresseringsnavn", TEXT),
            ("vejnavn", TEXT),
        ],
    ),
    ("CPRCustom_PublicSectorSupplerendeAdresse", false, &[("virkningfra", DATE), ("virkningtil", DATE)]),
    (
        "CPRCustom_PublicSectorBeskyttelse",
        false,
        &[
            ("beskyttelsestype", TEXT),
            ("status", TEXT),
            ("virkningfra", TIME),
            ("virkningtil", TIME),
            ("registreringfra", TIME),
        ],
    ),
    (
        "CPRCustom_PublicSectorCivilstand",
        true,
        &[
            ("civilstandstype", TEXT),
            ("aegtefaelle", TEXT),
            ("aegtefaellenavn", TEXT),
            ("aegtefaellefoedselsdato", DATE),
        ],
    ),
    (
        "CPRCustom_PublicSectorStatsborgerskab",
        false,
        &[
            ("status", TEXT),
            ("virkningFra", DATE),
            ("virkningFraUsikkerhedsmarkering", BOOL),
            ("virkningTil", DATE),
            ("virkningTilUsikkerhedsmarkering", BOOL),
            ("registreringfra", TIME),
            ("cprland", Kind::One("CPRCustom_PublicSectorCprLand")),
        ],
    ),
    (
        "CPRCustom_PublicSectorCprLand",
        false,
        &[
            ("kode", TEXT),
            ("navn", TEXT),
            ("landekode", TEXT),
            ("administrativEnhedType", Kind::One("CPRCustom_PublicSectorAdministrativEnhedType")),
        ],
    ),
    ("CPRCustom_PublicSectorAdministrativEnhedType", false, &[("typeKode", TEXT), ("typeNavn", TEXT)]),
    (
        "CPRCustom_PublicSectorSimpelPerson",
        false,
        &[
            ("personid", UUID),
            ("personnummer", TEXT),
            ("beskyttelser", Kind::Many("CPRCustom_PublicSectorBeskyttelse")),
            ("navn", Kind::One("CPRCustom_PublicSectorNavn")),
        ],
    ),
    (
        "CPRCustom_PublicSectorBarn",
        false,
        &[
            ("virkningfra", DATE),
            ("virkningfrausikkerhedsmarkering", BOOL),
            ("barn", Kind::One("CPRCustom_PublicSectorSimpelPerson")),
        ],
    ),
    (
        "CPRCustom_PublicSectorForaeldreoplysning",
        false,
        &[
            ("foraelderrolle", TEXT),
            ("virkningfra", DATE),
            ("virkningfrausikkerhedsmarkering", BOOL),
            ("foraelder", Kind::One("CPRCustom_PublicSectorSimpelPerson")),
            ("foraelderUdenCpr", Kind::One("CPRCustom_PublicSectorForaelderUdenCpr")),
            ("ikkeValidRelationsForaelder", Kind::One("CPRCustom_PublicSectorIkkeValidForaelder")),
        ],
    ),
    (
        "CPRCustom_PublicSectorForaelderUdenCpr",
        false,
        &[
            ("personid", TEXT),
            ("navn", TEXT),
            ("navnemarkering", TEXT),
            ("foedselsdato", DATE),
            ("foedselsdatousikkerhedsmarkering", BOOL),
        ],
    ),
    (
        "CPRCustom_PublicSectorIkkeValidForaelder",
        false,
        &[("personid", TEXT), ("personnummer", TEXT), ("navn", TEXT), ("foedselsdato", DATE)],
    ),
    (
        "CPRCustom_PublicSectorForaeldremyndighed",
        true,
        &[
            ("foraeldremyndighedsindehaverrolle", TEXT),
            ("foraeldremyndighedsindehaver", Kind::One("CPRCustom_PublicSectorSimpelPerson")),
        ],
    ),
    (
        "CPRCustom_PublicSectorForaeldremyndighedOver",
        true,
        &[("barn", Kind::One("CPRCustom_PublicSectorSimpelPerson"))],
    ),
    (
        "CPRCustom_PublicSectorUdrejseIndrejse",
        true,
        &[
            ("cprlandekodeudrejse", TEXT),
            ("cprlandekodeindrejse", TEXT),
            ("udenlandsadresselinie1", TEXT),
            ("udenlandsadresselinie2", TEXT),
            ("udenlandsadresselinie3", TEXT),
            ("udenlandsadresselinie4", TEXT),
            ("udenlandsadresselinie5", TEXT),
        ],
    ),
    ("CPRCustom_PublicSectorForsvinding", true, &[]),
    ("CPRCustom_PublicSectorKontaktadresse", true, LINES),
    (
        "CPRCustom_PublicSectorVaergemaal",
        true,
        &[
            ("vaergemaalstype", TEXT),
            ("vaergenavn", TEXT),
            ("adresselinie1", TEXT),
            ("adresselinie2", TEXT),
            ("adresselinie3", TEXT),
            ("adresselinie4", TEXT),
            ("adresselinie5", TEXT),
        ],
    ),
    (
        "CPRCustom_PublicSectorKommunaleForhold",
        true,
        &[("bemaerkning", TEXT), ("kommunaleforholdskode", TEXT), ("kommunaleforholdstype", TEXT)],
    ),
    ("CPRCustom_PublicSectorFolkekirke", true, &[("tilhoersforhold", TEXT)]),
    ("CPRCustom_PublicSectorNotat", true, &[("notatlinie", TEXT), ("notatnummer", INT)]),
];

const PERSON: &[(&str, Kind)] = &[
    ("id", UUID),
    ("status", TEXT),
    ("statusdato", DATE),
    ("foedselsdato", DATE),
    ("koen", TEXT),
    ("personnumre", Kind::Many("CPRCustom_PublicSectorPersonnummer")),
    ("navne", Kind::Many("CPRCustom_PublicSectorNavn")),
    ("adresseoplysninger", Kind::Many("CPRCustom_PublicSectorAdresseoplysning")),
    ("beskyttelser", Kind::Many("CPRCustom_PublicSectorBeskyttelse")),
    ("civilstande", Kind::Many("CPRCustom_PublicSectorCivilstand")),
    ("statsborgerskaber", Kind::Many("CPRCustom_PublicSectorStatsborgerskab")),
    ("boern", Kind::Many("CPRCustom_PublicSectorBarn")),
    ("foraeldreoplysninger", Kind::Many("CPRCustom_PublicSectorForaeldreoplysning")),
    ("foraeldremyndighedsoplysninger", Kind::Many("CPRCustom_PublicSectorForaeldremyndighed")),
    ("foraeldremyndighedOver", Kind::Many("CPRCustom_PublicSectorForaeldremyndighedOver")),
    ("udrejseIndrejser", Kind::Many("CPRCustom_PublicSectorUdrejseIndrejse")),
    ("forsvindinger", Kind::Many("CPRCustom_PublicSectorForsvinding")),
    ("kontaktadresse", Kind::Many("CPRCustom_PublicSectorKontaktadresse")),
    ("vaergemaal", Kind::Many("CPRCustom_PublicSectorVaergemaal")),
    ("kommunaleForhold", Kind::Many("CPRCustom_PublicSectorKommunaleForhold")),
    ("folkekirke", Kind::Many("CPRCustom_PublicSectorFolkekirke")),
    ("notater", Kind::Many("CPRCustom_PublicSectorNotat")),
];

fn shows(member: &str, shape: &str) -> bool {
    PERSON.iter().any(|(name, kind)| *name == member && matches!(kind, Kind::Many(of) if *of == shape))
}

fn members(shape: &Shape, dialect: &Dialect) -> Vec<(&'static str, Kind)> {
    let (name, row, own) = *shape;
    let lines = if name.ends_with("SupplerendeAdresse") { LINES } else { &[] };
    let rename = |(member, kind)| if member == "fornavne" { (dialect.first_names, kind) } else { (member, kind) };
    own.iter()
        .copied()
        .map(rename)
        .chain(lines.iter().copied())
        .chain(row.then_some(ROW).into_iter().flatten().copied())
        .collect()
}

fn person_members(dialect: &Dialect) -> Vec<(&'static str, Kind)> {
    let offered = PERSON.iter().copied().filter(|(member, _)| !dialect.left_out.contains(member));
    offered
        .map(|(member, kind)| match kind {
            Kind::Many(of) if dialect.singles.contains(&member) => (member, Kind::One(of)),
            kind => (member, kind),
        })
        .collect()
}
