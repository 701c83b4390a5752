//! What a process is shown in place of what the machine has: a wall clock that a test steps (libfaketime), and names that lead where
//! the test wants (nss_wrapper). Its monotonic clock is the machine's.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// How often a process looks at the clock that it is shown.
pub const LOOKS: Duration = Duration::from_secs(1);

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

    /// From now on, or when the process looks again, it is so many seconds ahead of the machine's.
    pub fn step(&self, seconds: i64) {
        replace(&self.file, &format!("{seconds:+}\n"));
    }

    /// The environment of the processes that are shown it.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", library("faketime/libfaketimeMT.so.1", "libfaketime")),
            ("FAKETIME_TIMESTAMP_FILE", self.file.display().to_string()),
            ("FAKETIME_CACHE_DURATION", LOOKS.as_secs().to_string()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }
}

/// Names and what they lead to.
pub struct Names {
    file: PathBuf,
    written: AtomicU64,
}

impl Names {
    /// Names of which none leads anywhere.
    pub fn at(file: PathBuf) -> Self {
        let names = Self { file, written: AtomicU64::new(0) };
        names.lead(&[]);
        names
    }

    /// From now on these lead there, and others nowhere.
    pub fn lead(&self, names: &[(String, IpAddr)]) {
        let lines = names.iter().map(|(name, address)| format!("{address} {name}\n"));
        let file = replace(&self.file, &lines.collect::<String>());
        // Whether there is news is seen by the second of the last change.
        let second = Duration::from_secs(self.written.fetch_add(1, Ordering::SeqCst));
        file.set_modified(SystemTime::UNIX_EPOCH + second).unwrap();
    }

    /// The environment of the processes that are shown them and a clock.
    pub fn variables_with(&self, clock: &WallClock) -> Vec<(&'static str, String)> {
        let mut variables = clock.variables();
        variables[0].1 = format!("{}:{}", variables[0].1, library("libnss_wrapper.so", "libnss-wrapper"));
        variables.push(("NSS_WRAPPER_HOSTS", self.file.display().to_string()));
        variables
    }
}

/// Puts a file in the place of another, so that nobody reads half of it.
fn replace(path: &Path, content: &str) -> std::fs::File {
    let new = path.with_extension("new");
    std::fs::write(&new, content).unwrap();
    let file = std::fs::File::options().write(true).open(&new).unwrap();
    std::fs::rename(new, path).unwrap();
    file
}

/// Where a library of the distribution lies.
fn library(name: &str, package: &str) -> String {
    let folders = ["/usr/lib", "/usr/lib64"].map(PathBuf::from).into_iter();
    let deeper = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let found = folders.chain(deeper).map(|folder| folder.join(name)).find(|path| path.exists());
    found
        .unwrap_or_else(|| panic!("{package} is missing: install it, on Debian: apt-get install {package}"))
        .display()
        .to_string()
}
