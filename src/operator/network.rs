//! Private ranges that a resource asks for, cut to those that the platform opens.

use ipnet::IpNet;

use super::refusal::Refusal;
use crate::api::text::PrivateRange;

/// What is left of a resource's ranges.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cut {
    /// Ranges that both open.
    pub networks: Vec<IpNet>,
    /// Said where the platform does not open all that is asked for.
    pub complaint: Option<Refusal>,
}

/// Cuts the ranges `asked` to those of the `platform`.
pub fn cut(asked: &[PrivateRange], platform: &[IpNet]) -> Result<Cut, Refusal> {
    let mut networks = Vec::new();
    let mut closed = Vec::new();
    for text in asked {
        let range = text.parse().map_err(|_| {
            Refusal::by_author("InvalidSpec", "allowedNetworks must hold ranges such as 10.20.0.0/16: correct them")
        })?;
        if !platform.iter().any(|open| open.contains(&range)) {
            closed.push(range.to_string());
        }
        networks.extend(platform.iter().filter_map(|open| both(range, *open)));
    }
    networks.sort();
    networks.dedup();
    Ok(Cut { networks, complaint: (!closed.is_empty()).then(|| not_open(&closed)) })
}

/// The addresses that lie in both ranges, of which one then lies in the other.
fn both(a: IpNet, b: IpNet) -> Option<IpNet> {
    if a.contains(&b) {
        Some(b)
    } else if b.contains(&a) {
        Some(a)
    } else {
        None
    }
}

fn not_open(closed: &[String]) -> Refusal {
    let message = format!(
        "the platform does not open {}: remove it from allowedNetworks, or have it added to the platform's setting network.allowed_networks",
        closed.join(", ")
    );
    Refusal::by_author("NetworkNotAllowed", message)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_range_needs_the_word_of_both() {
        let platform: Vec<IpNet> = ["10.0.0.0/8", "192.168.7.0/24"].map(|n| n.parse().unwrap()).to_vec();
        for (asked, left, complains) in [
            (vec!["10.20.0.0/16"], vec!["10.20.0.0/16"], false),
            (vec!["192.168.0.0/16"], vec!["192.168.7.0/24"], true),
            (vec!["172.16.0.0/12"], vec![], true),
            (vec![], vec![], false),
        ] {
            let asked: Vec<_> = asked.into_iter().map(PrivateRange::from).collect();
            let found = cut(&asked, &platform).unwrap();
            let left: Vec<IpNet> = left.into_iter().map(|n: &str| n.parse().unwrap()).collect();
            assert_eq!((found.networks, found.complaint.is_some()), (left, complains), "{asked:?}");
        }
        assert!(cut(&[PrivateRange::from("everywhere")], &platform).is_err());
    }
}
