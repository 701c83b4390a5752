//! Whether an object says all that was built: what others have added outside of it does not count. Pure.

use serde_json::{Map, Value};

/// Members that name an entry of a list which several may write to, in the order in which they are looked for.
const NAMING: [&str; 5] = ["name", "mountPath", "containerPort", "topologyKey", "uid"];

/// Maps that one writer has alone.
const WHOLE: [&str; 3] = ["data", "nodeSelector", "matchLabels"];

/// Whether `live` says what `built` says.
pub fn covers(live: &Value, built: &Value) -> bool {
    match (live, built) {
        (Value::Object(live), Value::Object(built)) => built.iter().all(|(key, value)| covers_member(live, key, value)),
        (Value::Array(live), Value::Array(built)) => match built.iter().find_map(naming) {
            Some(name) => built.iter().all(|entry| live.iter().any(|l| l[name] == entry[name] && covers(l, entry))),
            None => live.len() == built.len() && live.iter().zip(built).all(|(live, built)| covers(live, built)),
        },
        (live, built) => live == built,
    }
}

fn covers_member(live: &Map<String, Value>, key: &str, built: &Value) -> bool {
    let Some(live) = live.get(key) else { return is_empty(built) };
    let has_more = WHOLE.contains(&key) && live.as_object().map(Map::len) != built.as_object().map(Map::len);
    !has_more && covers(live, built)
}

/// The cluster leaves out what is empty.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.is_empty(),
        Value::Array(entries) => entries.is_empty(),
        _ => false,
    }
}

fn naming(entry: &Value) -> Option<&'static str> {
    NAMING.into_iter().find(|name| !entry[*name].is_null())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_others_add_is_theirs_and_what_they_change_is_not() {
        let built = json!({"a": 1, "list": [1, 2], "containers": [{"name": "x", "args": ["y"]}], "empty": {}});
        for (live, expected) in [
            (built.clone(), true),
            (json!({"a": 1, "b": 2, "list": [1, 2], "containers": [{"name": "x", "args": ["y"], "tty": false}]}), true),
            (json!({"a": 1, "list": [1, 2], "containers": [{"name": "z"}, {"name": "x", "args": ["y"]}]}), true),
            (json!({"a": 2, "list": [1, 2], "containers": [{"name": "x", "args": ["y"]}]}), false),
            (json!({"list": [1, 2], "containers": [{"name": "x", "args": ["y"]}]}), false),
            (json!({"a": 1, "list": [1, 2, 3], "containers": [{"name": "x", "args": ["y"]}]}), false),
            (json!({"a": 1, "list": [2, 1], "containers": [{"name": "x", "args": ["y"]}]}), false),
            (json!({"a": 1, "list": [1, 2], "containers": [{"name": "x", "args": ["y", "z"]}]}), false),
            (json!({"a": 1, "list": [1, 2], "containers": []}), false),
        ] {
            assert_eq!(covers(&live, &built), expected, "{live}");
        }
    }

    #[test]
    fn what_one_writer_has_alone_is_compared_whole() {
        for key in WHOLE {
            let (built, more) = (json!({key: {"a": "b"}}), json!({key: {"a": "b", "c": "d"}}));
            assert!(covers(&built, &built) && !covers(&more, &built), "{key}");
        }
        assert!(covers(&json!({"labels": {"a": "b", "c": "d"}}), &json!({"labels": {"a": "b"}})));
    }
}
