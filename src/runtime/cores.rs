//! Work on many values that takes nothing but processor time, on all cores at once.

use std::panic::resume_unwind;
use std::thread::{available_parallelism, scope};

/// Fewer values than this are not worth a thread.
const WORTH: usize = 64;

/// What `work` makes of each value, in their order. The calling thread does its part and waits for the others.
pub fn map<T: Send, R: Send>(mut values: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let cores = available_parallelism().map_or(1, usize::from).min(values.len() / WORTH).max(1);
    let part = values.len().div_ceil(cores);
    let work = &work;
    scope(|scope| {
        let others: Vec<_> = (1..cores)
            .rev()
            .map(|n| values.split_off(n * part))
            .map(|part| scope.spawn(move || part.into_iter().map(work).collect::<Vec<R>>()))
            .collect();
        let mut made: Vec<R> = values.into_iter().map(work).collect();
        for other in others.into_iter().rev() {
            made.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        made
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_done_once_and_in_order() {
        for count in [0, 1, WORTH, 5 * WORTH, 1001] {
            let doubled = map((0..count).collect(), |n| 2 * n);
            assert_eq!(doubled, (0..count).map(|n| 2 * n).collect::<Vec<_>>());
        }
    }

    #[test]
    #[should_panic(expected = "at 999")]
    fn a_panic_is_passed_on() {
        map((0..1000).collect(), |n: usize| assert!(n < 999, "at {n}"));
    }
}
