//! What happens to people, and the rows it leaves.

use std::collections::HashSet;

use jiff::civil::date;
use serde_json::Value;
use serde_json::json;

use super::Asker;
use super::TODAY;
use crate::simulate::datafordeler::Error;
use crate::simulate::datafordeler::Protection;

const ADDRESS: &str =
    "status statusdato adresseoplysninger { status virkningfra virkningtil cprAdresse { cprkommunekode } }";

/// Status, start and end of each row of a group.
fn rows(person: &Value, group: &str) -> Vec<[Value; 3]> {
    let rows = person[group].as_array().unwrap();
    rows.iter().map(|row| [&row["status"], &row["virkningfra"], &row["virkningtil"]].map(Clone::clone)).collect()
}

fn row(status: &str, from: &str, to: Option<&str>) -> [Value; 3] {
    [json!(status), json!(from), json!(to)]
}

#[tokio::test]
async fn a_move_makes_the_old_address_history_and_its_annulment_the_present_again() {
    let asker = Asker::new().await;
    let id = asker.settled();
    asker.register.move_to(&id, "0101", date(2026, 11, 15)).unwrap();
    let moved = asker.person(&id, ADDRESS).await;
    assert_eq!(
        rows(&moved, "adresseoplysninger"),
        [row("historisk", "2020-05-01", Some("2026-11-15")), row("aktuel", "2026-11-15", None),]
    );
    asker.register.correct_address(&id, Some("0147"), None).unwrap();
    let corrected = asker.person(&id, ADDRESS).await;
    assert_eq!(
        rows(&corrected, "adresseoplysninger")[1..],
        [row("rettet", "2026-11-15", None), row("aktuel", "2026-11-15", None),]
    );
    asker.register.annul_move(&id).unwrap();
    let annulled = asker.person(&id, ADDRESS).await;
    assert_eq!(
        rows(&annulled, "adresseoplysninger"),
        [row("aktuel", "2020-05-01", None), row("rettet", "2026-11-15", None), row("fortrudt", "2026-11-15", None),]
    );
    asker.register.rename_road(&id).unwrap();
    let renamed = asker.person(&id, ADDRESS).await;
    assert_eq!(rows(&renamed, "adresseoplysninger")[0], row("teknisk_aendring", "2020-05-01", None));
    assert_eq!(rows(&renamed, "adresseoplysninger")[3], row("aktuel", "2020-05-01", None));
}

#[tokio::test]
async fn death_and_its_annulment_change_status_home_and_both_spouses() {
    let asker = Asker::new().await;
    let (id, spouse) = (asker.settled(), asker.settled());
    asker.register.marry(&id, &spouse, date(2021, 1, 1)).unwrap();
    asker.register.die(&id, date(2026, 11, 20)).unwrap();
    let selection = format!("{ADDRESS} civilstande {{ status civilstandstype aegtefaelle }}");
    let dead = asker.person(&id, &selection).await;
    assert_eq!((&dead["status"], &dead["statusdato"]), (&json!("doed"), &json!("2026-11-20")));
    assert_eq!(rows(&dead, "adresseoplysninger"), [row("historisk", "2020-05-01", Some("2026-11-20"))]);
    let widowed = asker.person(&spouse, &selection).await;
    assert_eq!(widowed["civilstande"][2]["civilstandstype"], "enke_enkemand");
    assert_eq!(asker.register.die(&id, TODAY), Err(Error::Impossible("nobody who is alive")));
    asker.register.annul_death(&id).unwrap();
    let alive = asker.person(&id, &selection).await;
    assert_eq!((&alive["status"], &alive["statusdato"]), (&json!("bopael_i_danmark"), &Value::Null));
    assert_eq!(rows(&alive, "adresseoplysninger"), [row("aktuel", "2020-05-01", None)]);
    let marriage = json!({ "status": "aktuel", "civilstandstype": "gift", "aegtefaelle": spouse });
    assert_eq!(alive["civilstande"][1], marriage);
    assert_eq!(asker.person(&spouse, &selection).await["civilstande"][1]["status"], "aktuel");
}

#[tokio::test]
async fn who_leaves_or_disappears_comes_back() {
    let asker = Asker::new().await;
    let id = asker.settled();
    asker.register.emigrate(&id, "5110", date(2026, 1, 1)).unwrap();
    let selection = format!(
        "{ADDRESS} udrejseIndrejser {{ status cprlandekodeudrejse cprlandekodeindrejse virkningfra virkningtil }}"
    );
    let away = asker.person(&id, &selection).await;
    assert_eq!((&away["status"], &away["statusdato"]), (&json!("udrejst"), &json!("2026-01-01")));
    assert_eq!(away["udrejseIndrejser"][0]["cprlandekodeudrejse"], "5110");
    asker.register.return_home(&id, "0851", date(2026, 6, 1)).unwrap();
    let back = asker.person(&id, &selection).await;
    assert_eq!(rows(&back, "udrejseIndrejser"), [row("historisk", "2026-01-01", Some("2026-06-01"))]);
    assert_eq!(back["udrejseIndrejser"][0]["cprlandekodeindrejse"], "5110");
    asker.register.disappear(&id, date(2026, 8, 1)).unwrap();
    assert_eq!(asker.person(&id, "status").await["status"], "forsvundet");
    asker.register.found(&id, "0956", date(2026, 9, 1)).unwrap();
    assert_eq!(asker.person(&id, "status").await["status"], "bopael_i_groenland");
}

#[tokio::test]
async fn a_changed_number_leads_to_the_same_person() {
    let asker = Asker::new().await;
    let id = asker.settled();
    let old = asker.register.citizen(&id).unwrap().number;
    asker.register.change_number(&id, date(2026, 11, 1)).unwrap();
    let query =
        "query($n: [String!]!) { CPRCustom_PublicSectorPerson(input: { personnummer: { personnummer: { in: $n } } })
        { nodes { id beskyttelser { status } personnumre { personnummer status } } } }";
    let answer = asker.persons(query, json!({ "n": [old] })).await;
    let found = &answer["data"]["CPRCustom_PublicSectorPerson"]["nodes"][0];
    assert_eq!(found["id"], json!(id));
    assert_eq!(found["personnumre"][0], json!({ "personnummer": old, "status": "historisk" }));
    assert_ne!(found["personnumre"][1]["personnummer"], json!(old));
    let single = asker.persons(query, json!({ "n": old })).await;
    assert_eq!(single["data"], answer["data"], "a bare text stands for a list of one");
}

#[tokio::test]
async fn a_closed_double_leaves_its_number_to_the_survivor() {
    let asker = Asker::new().await;
    let (id, survivor) = (asker.settled(), asker.settled());
    let number = asker.register.citizen(&id).unwrap().number;
    asker.register.merge(&id, &survivor, TODAY).unwrap();
    assert_eq!(asker.person(&id, "status").await["status"], "nedlagt_person");
    let numbers = asker.person(&survivor, "personnumre { personnummer status }").await;
    assert_eq!(numbers["personnumre"][0], json!({ "personnummer": number, "status": "historisk" }));
}

#[tokio::test]
async fn a_protection_tells_instants_and_is_over_when_it_ends() {
    let asker = Asker::new().await;
    let id = asker.settled();
    let until = Some(date(2026, 11, 24));
    asker.register.protect(&id, Protection::NameAndAddress, date(2026, 7, 1), until).unwrap();
    let shown = asker.person(&id, "beskyttelser { beskyttelsestype virkningfra virkningtil }").await;
    assert_eq!(
        shown["beskyttelser"][0],
        json!({
            "status": "aktuel", "beskyttelsestype": "navne_og_adresse",
            "virkningfra": "2026-06-30T22:00:00.000000Z", "virkningtil": "2026-11-23T23:00:00.000000Z",
        })
    );
    assert!(asker.register.citizen(&id).unwrap().protected);
    asker.clock.advance(std::time::Duration::from_secs(2 * 24 * 3600));
    assert!(!asker.register.citizen(&id).unwrap().protected);
}

#[tokio::test]
async fn a_child_has_parents_custody_and_no_name_until_it_gets_one() {
    let asker = Asker::new().await;
    let (mother, father) = (asker.settled(), asker.settled());
    let child = asker.register.have_child(&mother, Some(&father), date(2026, 11, 1)).unwrap();
    let selection =
        "navne { fornavne } foraeldreoplysninger { foraelderrolle foraelder { personid beskyttelser { status } } }
        foraeldremyndighedsoplysninger { foraeldremyndighedsindehaverrolle status }";
    let newborn = asker.person(&child, selection).await;
    assert_eq!(newborn["navne"], json!([]));
    let roles = &newborn["foraeldreoplysninger"];
    assert_eq!((&roles[0]["foraelderrolle"], &roles[1]["foraelderrolle"]), (&json!("mor"), &json!("far_medmor")));
    assert_eq!(roles[1]["foraelder"]["personid"], json!(father));
    asker.register.protect(&child, Protection::NameAndAddress, TODAY, None).unwrap();
    asker.register.rename(&child, Some("Ny"), None, TODAY).unwrap();
    let shown = asker
        .person(&mother, "boern { barn { personnummer beskyttelser { beskyttelsestype } navn { fornavne } } }")
        .await;
    assert_eq!(shown["boern"][0]["barn"]["navn"]["fornavne"], "Ny");
    assert_eq!(shown["boern"][0]["barn"]["beskyttelser"][0]["beskyttelsestype"], "navne_og_adresse");
    asker.register.end_custody(&child, TODAY).unwrap();
    assert_eq!(asker.person(&child, selection).await["foraeldremyndighedsoplysninger"][0]["status"], "historisk");
}

#[tokio::test]
async fn the_rest_of_life_leaves_its_rows() {
    let asker = Asker::new().await;
    let id = asker.settled();
    let register = &asker.register;
    register.correct_name(&id, None, Some("Rettelsen")).unwrap();
    register.change_citizenship(&id, "5110", TODAY).unwrap();
    register.join_church(&id, TODAY).unwrap();
    register.leave_church(&id, TODAY).unwrap();
    register.set_guardianship(&id, "Værge Opdigtsen", TODAY).unwrap();
    register.set_contact_address(&id, TODAY, None).unwrap();
    register.set_supplementary_address(&id, TODAY, None).unwrap();
    register.municipal_condition(&id, "7", TODAY).unwrap();
    register.note(&id, "Opdigtet", TODAY, None).unwrap();
    register.cancel_number(&id, TODAY).unwrap();
    assert_eq!(asker.person(&id, "status").await["status"], "annulleret");
    register.restore_number(&id).unwrap();
    let selection = "navne { status efternavn } statsborgerskaber { virkningFra status cprland { kode landekode } }
        folkekirke { tilhoersforhold status } vaergemaal { vaergenavn } kontaktadresse { adresselinie1 }
        adresseoplysninger { supplerendeAdresse { adresselinie1 } } kommunaleForhold { kommunaleforholdskode }
        notater { notatlinie notatnummer } status personnumre { status registreringfra }";
    let shown = asker.person(&id, selection).await;
    assert_eq!(shown["navne"][0]["status"], "rettet");
    assert_eq!(shown["navne"][1], json!({ "status": "aktuel", "efternavn": "Rettelsen" }));
    assert_eq!(shown["statsborgerskaber"][1]["cprland"], json!({ "kode": "5110", "landekode": "NOR" }));
    assert_eq!(shown["folkekirke"].as_array().unwrap().len(), 2);
    assert_eq!(shown["vaergemaal"][0]["vaergenavn"], "Værge Opdigtsen");
    assert_eq!(shown["kontaktadresse"][0]["adresselinie1"], "Postboks 0");
    assert_eq!(shown["adresseoplysninger"][0]["supplerendeAdresse"]["adresselinie1"], "Bag Kulissen");
    assert_eq!(shown["kommunaleForhold"][0]["kommunaleforholdskode"], "7");
    assert_eq!(shown["notater"][0], json!({ "notatlinie": "Opdigtet", "notatnummer": 1 }));
    assert_eq!(shown["status"], "bopael_i_danmark");
    let number = json!({ "status": "aktuel", "registreringfra": "2026-11-22T10:00:00.000000Z" });
    assert_eq!(shown["personnumre"][0], number);
}

#[tokio::test]
async fn every_case_is_there_and_recognisably_invented() {
    let asker = Asker::with(|options| (options.cases, options.people) = (true, 300)).await;
    let people = asker.register.people();
    let statuses: HashSet<_> = people.iter().map(|citizen| citizen.status).collect();
    assert_eq!(statuses.len(), 10, "{statuses:?}");
    for citizen in &people {
        let day: u32 = citizen.number[..2].parse().unwrap();
        assert!((61..=91).contains(&day) && citizen.number.len() == 10);
    }
    let numbers: HashSet<_> = people.iter().map(|citizen| &citizen.number).collect();
    assert_eq!(numbers.len(), people.len());
    let closed = people.iter().find(|citizen| citizen.case == Some("long name")).unwrap();
    assert_eq!(closed.name.as_deref().map(|name| name.chars().count()), Some(34));
    let orphan = people.iter().find(|citizen| citizen.case == Some("parents without a number")).unwrap();
    let selection = "foraeldreoplysninger { foraelder { personid beskyttelser { status } } foraelderUdenCpr { navn } ikkeValidRelationsForaelder { navn } }";
    let parents = asker.person(&orphan.id, selection).await;
    assert_eq!(parents["foraeldreoplysninger"][0]["foraelder"], Value::Null);
    assert_eq!(parents["foraeldreoplysninger"][0]["foraelderUdenCpr"]["navn"], "Ukendtine Udenlandsen");
}

#[tokio::test]
async fn the_same_seed_tells_the_same_story() {
    let tell = async |seed| {
        let asker = Asker::with(|options| (options.seed, options.people) = (seed, 50)).await;
        let lived = asker.register.live(200);
        assert_eq!(lived.len(), 200);
        asker.register.people()
    };
    assert_eq!(tell(7).await, tell(7).await);
    assert_ne!(tell(7).await, tell(8).await);
}

#[tokio::test]
async fn people_are_found_by_where_they_live() {
    let asker = Asker::new().await;
    let (stays, leaves) = (asker.settled(), asker.settled());
    asker.register.move_to(&leaves, "0101", TODAY).unwrap();
    let query = "query($s: String, $k: [String]) { CPRCustom_PublicSectorPerson(input: {
        adresseoplysninger: { status: { eq: $s } }, cprAdresse: { cprkommunekode: { in: $k } } })
        { nodes { id beskyttelser { status } } } }";
    let found = async |status: &str, code: &str| {
        let answer = asker.persons(query, json!({ "s": status, "k": [code] })).await;
        let nodes = answer["data"]["CPRCustom_PublicSectorPerson"]["nodes"].as_array().unwrap().clone();
        nodes.into_iter().map(|node| node["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found("aktuel", "0851").await, [stays]);
    assert_eq!(found("historisk", "0851").await, [leaves]);
    assert_eq!(found("Aktuel", "0851").await, Vec::<String>::new());
    assert_eq!(found("aktuel", "851").await, Vec::<String>::new());
}

const NUMBERS: &str = "status personnumre { personnummer status }";

#[tokio::test]
async fn identities_part_and_change_as_told() {
    let asker = Asker::new().await;
    let [person, other] = [(); 2].map(|()| asker.settled());
    let numbers = |person: &Value| {
        let rows = person["personnumre"].as_array().unwrap().iter();
        rows.map(|row| (row["personnummer"].as_str().unwrap().to_owned(), row["status"].clone())).collect::<Vec<_>>()
    };
    asker.register.merge(&other, &person, TODAY).unwrap();
    asker.register.split(&other, &person).unwrap();
    let parted = asker.person(&other, NUMBERS).await;
    assert_eq!((parted["status"].as_str(), numbers(&parted).len()), (Some("bopael_i_danmark"), 1));
    let survivor = numbers(&asker.person(&person, NUMBERS).await);
    assert!(survivor.iter().any(|(number, state)| *number == numbers(&parted)[0].0 && state == "fortrudt"));

    asker.register.second_number(&other, TODAY).unwrap();
    assert!(numbers(&asker.person(&other, NUMBERS).await).iter().all(|(_, state)| state == "aktuel"));
    asker.register.vanish(&other).unwrap();
    assert!(asker.register.citizen(&other).is_some());
    asker.register.reappear(&other).unwrap();
    let new = asker.register.another_person_id(&other).unwrap();
    assert!(new != other && asker.register.citizen(&other).is_none());
    assert_eq!(numbers(&asker.person(&new, NUMBERS).await).len(), 2);
}
