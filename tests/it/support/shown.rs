//! What a process is shown in place of what the machine has: a wall clock that a test steps (libfaketime), and names that lead where
//! the test wants (files bound over those of the system's resolver, which only that process sees). Its monotonic clock is the machine's.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a process looks at the clock that it is shown.
const LOOKS: Duration = Duration::from_secs(1);
/// Length of a file of names, filled up with empty lines: one writing of the same length changes it, so that nobody reads half of it.
const NAMES: usize = 1024;

/// A wall clock.
pub struct WallClock {
    file: PathBuf,
}

impl WallClock {
    /// A clock that shows the machine's time.
    pub fn at(file: PathBuf) -> Self {
        let clock = Self { file };
        clock.step(0);
        clock
    }

    /// When the process looks again, it is so many seconds ahead of the machine's.
    pub fn step(&self, seconds: i64) {
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("{seconds:+}\n")).unwrap();
        std::fs::rename(new, &self.file).unwrap();
    }

    /// The environment of the processes that are shown it.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", library().display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.display().to_string()),
            ("FAKETIME_CACHE_DURATION", LOOKS.as_secs().to_string()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }
}

/// Where the library lies that shows it.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut paths = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    paths
        .find(|path| path.exists())
        .expect("libfaketime is missing: install it, on Debian: apt-get install libfaketime")
}

/// Names and what they lead to. There is no name server.
pub struct Names {
    hosts: PathBuf,
    resolver: PathBuf,
}

impl Names {
    /// Names of which none leads anywhere, kept in this folder.
    pub fn at(folder: &Path) -> Self {
        let names = Self { hosts: folder.join("hosts"), resolver: folder.join("resolver") };
        std::fs::write(&names.hosts, []).unwrap();
        // Nobody answers there, and says so at once.
        std::fs::write(&names.resolver, "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n").unwrap();
        names.lead(&[]);
        names
    }

    /// From now on these lead there, and others nowhere.
    pub fn lead(&self, names: &[(String, IpAddr)]) {
        let mut lines = String::new();
        names.iter().for_each(|(name, address)| writeln!(lines, "{address} {name}").unwrap());
        assert!(lines.len() <= NAMES, "more names than there is room for");
        lines.push_str(&"\n".repeat(NAMES - lines.len()));
        let hosts = std::fs::File::options().write(true).open(&self.hosts).unwrap();
        hosts.write_all_at(lines.as_bytes(), 0).unwrap();
    }

    /// What a process is started through, to be shown them.
    pub fn through(&self) -> Vec<String> {
        let bind = r#"mount --bind "$0" /etc/hosts && mount --bind "$1" /etc/resolv.conf && shift && exec "$@""#;
        let words = ["unshare", "--map-root-user", "--mount", "sh", "-c", bind].map(str::to_owned).into_iter();
        words.chain([&self.hosts, &self.resolver].map(|path| path.display().to_string())).collect()
    }
}
