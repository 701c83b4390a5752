//! The receivers under `docs/receivers`, each against every duty that `docs/receivers.md` names.
//!
//! | What | File |
//! | --- | --- |
//! | which there are, and how one is run and looked into | `kit` |
//! | the duties, with signed requests as the product sends them | `duties` |
//! | the product itself in front of them | `product` |

mod duties;
mod kit;
mod product;
