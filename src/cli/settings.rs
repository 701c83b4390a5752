//! Settings from their four places: the built-in defaults, a file, the environment, flags.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use figment::Figment;
use figment::providers::{Env, Format, Toml};

use crate::settings::{Settings, range};

/// Where settings come from beside the defaults.
#[derive(Clone, Debug, Default, Args)]
pub struct SettingsArgs {
    /// TOML file with settings that differ from the defaults (`cpr-operator settings` prints those).
    #[arg(long, env = "CPR_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// One setting, such as `delivery.flush_interval=200ms`. May be repeated; wins over file and environment.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// The defaults, with every key explained.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// Reads all settings. A misspelt key, or a value that cannot work, is an error that names it.
pub fn load(args: &SettingsArgs) -> anyhow::Result<Settings> {
    let mut figment = Figment::from(Toml::string(DEFAULTS));
    if let Some(path) = &args.config {
        if !path.is_file() {
            bail!("settings file {} does not exist", path.display());
        }
        figment = figment.merge(Toml::file_exact(path));
    }
    figment = figment.merge(Env::prefixed("CPR_").filter(|key| key.as_str().contains("__")).split("__"));
    for pair in &args.set {
        figment = figment.merge(Toml::string(&as_toml(pair)?));
    }
    let settings: Settings = figment.extract().context("settings")?;
    range::validate(&settings).context("settings")?;
    Ok(settings)
}

/// One `KEY=VALUE` as TOML; what is no TOML value by itself is taken as text.
fn as_toml(pair: &str) -> anyhow::Result<String> {
    let Some((key, value)) = pair.split_once('=') else { bail!("--set {pair}: write it as KEY=VALUE") };
    let plain = value.parse::<i64>().is_ok() || value == "true" || value == "false" || value.starts_with('[');
    let value = if plain { value.to_owned() } else { serde_json::to_string(value)? };
    Ok(format!("{key} = {value}"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn with(set: &[&str]) -> anyhow::Result<Settings> {
        load(&SettingsArgs { config: None, set: set.iter().map(|s| (*s).to_owned()).collect() })
    }

    #[test]
    fn the_defaults_are_complete_and_flags_override_them() {
        let settings = with(&["delivery.flush_interval=250ms", "network.allowed_networks=[\"127.0.0.0/8\"]"]).unwrap();
        assert_eq!(settings.delivery.flush_interval.as_millis(), 250);
        assert_eq!(settings.network.allowed_networks.len(), 1);
        assert_eq!(settings.delivery.flush_results, 500);
    }

    #[test]
    fn a_misspelt_key_and_a_wrong_value_are_named() {
        for (bad, named) in [("delivery.flush_intervall=1s", "flush_intervall"), ("retention.undoing=soon", "soon")] {
            let error = format!("{:#}", with(&[bad]).unwrap_err());
            assert!(error.contains(named), "{error}");
        }
        assert!(with(&["delivery"]).is_err());
    }

    #[test]
    fn a_value_that_cannot_work_is_refused_with_its_range() {
        for (bad, said) in [
            ("operator.concurrency=0", "operator.concurrency is 0: it must be from 1 to 1000"),
            ("register.batch=101", "register.batch is 101: it must be from 1 to 100"),
            ("delivery.flush_interval=0s", "delivery.flush_interval is 0s: it must be from 1ms to 1m"),
            ("operator.status_interval=999999999h", "operator.status_interval is 999999999h"),
            ("delivery.circuit_persons=51", "delivery.circuit_persons is 51: it must be from 1 to 50"),
            ("operator.lease_name=", "operator.lease_name is empty"),
            ("ingest.batch=-1", "ingest.batch"),
            ("workers.max_replicas=0", "workers.max_replicas is 0: it must be from 1 to 100"),
            ("workers.max_rolling=110%", "write 1% to 100%, or a number from 1 to 1000"),
            ("workers.max_memory=2G", "write memory like 256Mi or 2Gi"),
            ("workers.pull_policy=Sometimes", "workers.pull_policy"),
            ("workers.image=a", "workers.anchor is empty"),
            ("database.login_per_consumer=true", "database.login_per_consumer is set and workers.image is not"),
        ] {
            let error = format!("{:#}", with(&[bad]).unwrap_err());
            assert!(error.contains(said), "{bad}: {error}");
        }
    }

    #[test]
    fn workers_need_what_they_mount_and_a_database_to_share() {
        let named = ["image", "anchor", "settings_config_map", "database_secret", "root_key_secret"];
        let mut set: Vec<String> = named.iter().map(|key| format!("workers.{key}=a")).collect();
        let said = |set: &[String]| {
            let set: Vec<&str> = set.iter().map(String::as_str).collect();
            format!("{:#}", with(&set).unwrap_err())
        };
        for missing in &named[1..] {
            let others: Vec<String> = set.iter().filter(|one| !one.contains(missing)).cloned().collect();
            assert!(said(&others).contains(&format!("workers.{missing} is empty")), "{}", said(&others));
        }
        assert!(said(&set).contains("database.url_file"), "{}", said(&set));
        set.push("database.url_file=/etc/url".to_owned());
        let settings = with(&set.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
        assert!(settings.workers.are_made() && !settings.workers.without().are_made());
        for (bad, named) in [
            (format!("workers.anchor={}", "a".repeat(64)), "workers.anchor has more than 63"),
            ("workers.max_memory=256Mi".to_owned(), "workers.max_memory is 256Mi: it must be from 512Mi"),
            ("workers.max_cpu=50m".to_owned(), "workers.max_cpu is 50m: it must be from 100m"),
        ] {
            assert!(said(&[set.clone(), vec![bad]].concat()).contains(named), "{named}");
        }
    }

    #[test]
    fn a_settings_file_that_is_not_there_is_named() {
        let error = load(&SettingsArgs { config: Some("/no/such.toml".into()), set: vec![] }).unwrap_err();
        assert!(error.to_string().contains("/no/such.toml"), "{error}");
    }
}
