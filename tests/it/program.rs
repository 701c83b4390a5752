//! The program's face: what it says of itself, where its settings come from, and what it says when it cannot start.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::process::{Command, Output};

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cpr-operator"));
    command.args(arguments).env_remove("CPR_CONFIG");
    command
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What `all` says when it refuses to start with these flags and variables.
fn refusal(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = program(&["all"]).args(arguments).envs(variables.iter().copied()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    text(&output)
}

#[test]
fn the_version_names_the_commit() {
    let said = text(&program(&["--version"]).output().unwrap());
    assert!(said.starts_with(concat!("cpr-operator ", env!("CARGO_PKG_VERSION"), " (")), "{said}");
    let commit = said.trim().split(['(', ')']).nth(1).unwrap();
    assert!(commit == "unknown" || (commit.len() >= 12 && commit.chars().all(|c| c.is_ascii_hexdigit())), "{said}");
}

#[test]
fn help_says_what_each_command_and_flag_does() {
    let said = text(&program(&["--help"]).output().unwrap());
    for command in ["all", "consumer", "crds", "doctor", "report", "settings", "simulate", "demo"] {
        let line = said.lines().find(|line| line.trim_start().starts_with(command));
        assert!(line.is_some_and(|line| line.split_whitespace().count() > 4), "{command} in\n{said}");
    }
    let said = text(&program(&["all", "--help"]).output().unwrap());
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in ["--config", "CPR_CONFIG", "--set", "`cpr-operator settings` prints those"] {
        assert!(words.contains(word), "{word} in\n{said}");
    }
    let said = text(&program(&["settings"]).output().unwrap());
    assert!(said.contains("# How often results are written.\nflush_interval = \"100ms\""), "{said}");
}

#[test]
fn flags_win_over_the_environment_over_the_file_over_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("some.toml");
    std::fs::write(&file, "[operator]\nconcurrency = 2001\n").unwrap();
    let config = ["--config", file.to_str().unwrap()];
    let variable = [("CPR_OPERATOR__CONCURRENCY", "2002")];
    let flag = [config.as_slice(), &["--set", "operator.concurrency=2003"]].concat();
    assert!(refusal(&config, &[]).contains("operator.concurrency is 2001"));
    assert!(refusal(&config, &variable).contains("operator.concurrency is 2002"));
    assert!(refusal(&flag, &variable).contains("operator.concurrency is 2003"));
}

#[test]
fn a_key_that_is_not_known_is_refused_wherever_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("some.toml");
    std::fs::write(&file, "[operator]\nconcurency = 8\n").unwrap();
    assert!(refusal(&["--config", file.to_str().unwrap()], &[]).contains("concurency"));
    assert!(refusal(&[], &[("CPR_OPERATOR__CONCURENCY", "8")]).contains("concurency"));
    assert!(refusal(&["--set", "operators.concurrency=8"], &[]).contains("operators"));
}

#[test]
fn a_filter_of_logs_that_cannot_be_read_is_named() {
    let said = refusal(&["--set", "log.filter=cpr_operator=loud"], &[("RUST_LOG", "cpr_operator=loud")]);
    assert!(said.contains("loud"), "{said}");
}

#[test]
fn every_way_to_get_settings_wrong_is_named_and_repeats_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("some.toml");
    let path = file.to_str().unwrap().to_owned();
    for (content, words) in [
        (&b"[operator\n"[..], &["some.toml"][..]),
        (b"operator = 3\n", &["operator"]),
        (b"[operator]\nconcurrency = \"many\"\n", &["concurrency"]),
        (b"[operator]\nconcurrency = -1\n", &["concurrency"]),
        (b"[operator]\nconcurrency = 1.5\n", &["concurrency"]),
        (b"[operator]\nconcurrency = 1\nconcurrency = 2\n", &["some.toml", "concurrency"]),
        (b"[operator]\nconcurrency = 99999999999999999999\n", &["some.toml"]),
        (b"[delivery]\nflush_interval = \"soon\"\n", &["flush_interval"]),
        (b"[delivery]\nflush_interval = \"-1s\"\n", &["flush_interval"]),
        (b"[delivery]\nflush_interval = \"900000h\"\n", &["delivery.flush_interval", "must be from"]),
        (b"[network]\nallowed_networks = [\"10.0.0.0/99\"]\n", &["allowed_networks"]),
        (b"[network]\nallowed_networks = \"10.0.0.0/8\"\n", &["allowed_networks"]),
        (b"[http]\nlisten = \"nowhere\"\n", &["listen"]),
        (b"[store]\nreaders = 0\n", &["store.readers", "must be from"]),
        (b"[operator]\nlease_name = \"\"\n", &["operator.lease_name", "empty"]),
        (b"[nonsense]\nx = 1\n", &["nonsense"]),
        (b"\xff\xfe[operator]\n", &["some.toml"]),
        (b"\x00\x00\x00", &["some.toml"]),
    ] {
        std::fs::write(&file, content).unwrap();
        let said = refusal(&["--config", &path], &[]);
        let shown = String::from_utf8_lossy(content);
        assert!(words.iter().all(|word| said.contains(word)), "{shown:?}: {said}");
        assert!(!said.contains("panicked"), "{shown:?}: {said}");
    }
    let missing = folder.path().join("missing.toml");
    let said = refusal(&["--config", missing.to_str().unwrap()], &[]);
    assert!(said.contains("missing.toml"), "{said}");
    let said = refusal(&["--config", folder.path().to_str().unwrap()], &[]);
    assert!(said.contains(folder.path().to_str().unwrap()), "{said}");
    for pair in ["operator.concurrency", "=3", "operator.concurrency=", "operator=3", ""] {
        let output = program(&["all", "--set", pair]).output().unwrap();
        assert!(!output.status.success(), "{pair:?}: {}", text(&output));
        assert!(!text(&output).contains("panicked"), "{pair:?}: {}", text(&output));
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("http.listen={}", taken.local_addr().unwrap());
    let store = format!("store.path={}", folder.path().join("data").display());
    let said = refusal(&["--set", &listen, "--set", &store, "--set", "operator.enabled=false"], &[]);
    assert!(said.contains("http.listen"), "{said}");
}
