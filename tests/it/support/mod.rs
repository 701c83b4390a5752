//! What tests stand on.

pub mod chance;
pub mod cluster;
pub mod committed;
pub mod database;
pub mod files;
pub mod forward;
pub mod front;
pub mod gate;
pub mod logins;
pub mod plane;
pub mod pooler;
pub mod proxy;
pub mod published;
pub mod schemas;
pub mod server;
pub mod shown;
pub mod tenant;
pub mod webhook;
pub mod wire;
pub mod world;
