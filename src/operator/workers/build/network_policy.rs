//! The network policy of a worker: in, its metrics; out, names, the database, and at the ports of those whom it serves public
//! addresses and the private ranges that were opened for them. What exactly is reached is judged again for each connection.

use std::collections::BTreeSet;

use ipnet::IpNet;
use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::container::METRICS_PORT;
use super::{Ground, metadata, pods_of, sealed};
use crate::operator::workers::plan::Worker;
use crate::operator::workers::wish::Demand;

/// Ranges that are not public: not reached unless they were opened.
const PRIVATE: [&str; 6] =
    ["10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"];

/// The same of IPv6.
const PRIVATE_6: [&str; 3] = ["::1/128", "fc00::/7", "fe80::/10"];

/// Port of name servers.
const NAMES: u16 = 53;

/// The network policy of a worker.
pub fn build(worker: &Worker, ground: &Ground, owner: OwnerReference) -> NetworkPolicy {
    let mut egress = vec![to_anyone(vec![port(NAMES, "UDP"), port(NAMES, "TCP")])];
    egress.push(to_anyone(ground.database_ports.iter().map(|number| port(*number, "TCP")).collect()));
    let reach: BTreeSet<_> = worker.members.values().map(peers).collect();
    egress.extend(reach.into_iter().filter(|(ports, _)| !ports.is_empty()).map(|(ports, networks)| {
        let ports = ports.into_iter().map(|number| port(number, "TCP")).collect();
        NetworkPolicyEgressRule { to: Some(blocks(&networks)), ports: Some(ports) }
    }));
    let metrics = NetworkPolicyIngressRule { ports: Some(vec![port(METRICS_PORT, "TCP")]), from: None };
    let spec = NetworkPolicySpec {
        pod_selector: Some(pods_of(worker)),
        policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
        ingress: Some(vec![metrics]),
        egress: Some(egress),
    };
    sealed(NetworkPolicy { metadata: metadata(worker, ground, owner), spec: Some(spec) })
}

/// Whom one of those served needs: alike needs are one rule.
fn peers(demand: &Demand) -> (BTreeSet<u16>, BTreeSet<IpNet>) {
    (demand.reach.ports.iter().copied().collect(), demand.reach.networks.iter().copied().collect())
}

fn to_anyone(ports: Vec<NetworkPolicyPort>) -> NetworkPolicyEgressRule {
    NetworkPolicyEgressRule { to: None, ports: Some(ports) }
}

fn port(number: u16, protocol: &str) -> NetworkPolicyPort {
    NetworkPolicyPort {
        port: Some(IntOrString::Int(number.into())),
        protocol: Some(protocol.to_owned()),
        end_port: None,
    }
}

/// All public addresses, and these ranges.
fn blocks(networks: &BTreeSet<IpNet>) -> Vec<NetworkPolicyPeer> {
    let public = [block("0.0.0.0/0", Some(&PRIVATE)), block("::/0", Some(&PRIVATE_6))];
    public.into_iter().chain(networks.iter().map(|network| block(&network.to_string(), None))).collect()
}

fn block(cidr: &str, except: Option<&[&str]>) -> NetworkPolicyPeer {
    let except = except.map(|ranges| ranges.iter().map(|range| (*range).to_owned()).collect());
    NetworkPolicyPeer { ip_block: Some(IPBlock { cidr: cidr.to_owned(), except }), ..NetworkPolicyPeer::default() }
}
