//! Right answers made wrong.

use serde_json::Value;
use serde_json::json;

use super::faults::Fault;

/// Members with an enumerated text whose values may grow.
const ENUMERATED: &[&str] =
    &["beskyttelsestype", "civilstandstype", "tilhoersforhold", "vaergemaalstype", "kommunaleforholdstype"];

/// Applies the faults that change an answer's content.
pub(super) fn distort(answer: &mut Value, faults: &[Fault]) {
    for fault in faults {
        match fault {
            Fault::Duplicate => each_nodes(answer, &mut repeat),
            Fault::UnknownField => each_nodes(answer, &mut |nodes| nodes.iter_mut().for_each(surprise)),
            Fault::DropMandatory { member } => each_nodes(answer, &mut |nodes| {
                nodes.iter_mut().for_each(|node| drop_member(node, member));
            }),
            Fault::Replace { member, value, person } => each_nodes(answer, &mut |nodes| {
                let struck = |node: &&mut Value| person.as_ref().is_none_or(|person| node["id"] == person.as_str());
                nodes.iter_mut().filter(struck).for_each(|node| replace(node, member, value));
            }),
            Fault::LoopCursor => endless(answer),
            _ => {}
        }
    }
}

fn endless(answer: &mut Value) {
    for root in answer["data"].as_object_mut().into_iter().flat_map(serde_json::Map::values_mut) {
        if root.get("pageInfo").is_some() {
            root["pageInfo"]["hasNextPage"] = true.into();
            root["pageInfo"]["endCursor"] = "TVE9PTs2QU1BQUFBQUFBQT0=".into();
        }
    }
}

fn each_nodes(answer: &mut Value, change: &mut dyn FnMut(&mut Vec<Value>)) {
    let roots = answer["data"].as_object_mut().into_iter().flat_map(serde_json::Map::values_mut);
    for root in roots {
        if let Some(nodes) = root.get_mut("nodes").and_then(Value::as_array_mut) {
            change(nodes);
        }
    }
}

/// Every third node comes again at once, and the first again at the end.
fn repeat(nodes: &mut Vec<Value>) {
    let first = nodes.first().cloned();
    let twice = |(at, node): (usize, Value)| if at % 3 == 0 { vec![node.clone(), node] } else { vec![node] };
    *nodes = std::mem::take(nodes).into_iter().enumerate().flat_map(twice).chain(first).collect();
}

/// Members and values that the client cannot know.
fn surprise(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(surprise),
        Value::Object(members) => {
            members.values_mut().for_each(surprise);
            members.insert("nytFelt".to_owned(), json!({ "indhold": ["uventet", 1, null] }));
            for member in ENUMERATED {
                if let Some(text) = members.get_mut(*member).filter(|text| text.is_string()) {
                    *text = json!("endnu_ukendt");
                }
            }
        }
        _ => {}
    }
}

fn replace(value: &mut Value, member: &str, with: &Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(|value| replace(value, member, with)),
        Value::Object(members) => {
            members.values_mut().for_each(|value| replace(value, member, with));
            if let Some(there) = members.get_mut(member) {
                there.clone_from(with);
            }
        }
        _ => {}
    }
}

fn drop_member(value: &mut Value, member: &str) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(|value| drop_member(value, member)),
        Value::Object(members) => {
            members.remove(member);
            members.values_mut().for_each(|value| drop_member(value, member));
        }
        _ => {}
    }
}
