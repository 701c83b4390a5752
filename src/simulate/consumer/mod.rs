//! A business system that receives webhooks, trusts nothing, and remembers what it thought of each.
//!
//! What comes in: deliveries to `/cpr/events`. Each is verified by the official Standard Webhooks library, checked
//! against the published contract, and judged by order and repetition; what goes out is the answer that the present
//! [`Behaviour`] gives. The library looks at the machine's clock: a delivery signed more than five minutes before or
//! after is forged to it, whatever clock the sender goes by.
//!
//! | Step | File |
//! | --- | --- |
//! | a request arrives and is answered | `server` |
//! | the contract | `contract` |
//! | forged, repeated, out of order | `judge` |
//! | how it is answered | `behaviour` |

mod behaviour;
mod contract;
mod handle;
mod judge;
mod server;

#[cfg(test)]
mod tests;

pub use behaviour::Applies;
pub use behaviour::Behaviour;
pub use behaviour::Chosen;
pub use behaviour::RetryAfter;
pub use handle::Consumer;
pub use handle::Options;
pub use judge::Received;
pub use judge::Report;
