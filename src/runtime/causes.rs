//! An error with all its causes, for log lines: libraries tell what was tried, and only their causes tell what went wrong.

use std::error::Error;

/// What an error and its causes say, each once.
pub fn text(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !said.contains(&words) {
            said = format!("{said}: {words}");
        }
        next = cause.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Failure {
        #[error("sending: {0}")]
        Sending(#[source] std::io::Error),
        #[error("connecting")]
        Connecting(#[source] Box<Failure>),
    }

    #[test]
    fn each_cause_is_told_once() {
        let refused = || Failure::Sending(std::io::Error::other("refused"));
        assert_eq!(text(&refused()), "sending: refused");
        assert_eq!(text(&Failure::Connecting(Box::new(refused()))), "connecting: sending: refused");
    }
}
