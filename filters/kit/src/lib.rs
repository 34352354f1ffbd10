//! What every filter needs and nothing else.

pub mod header;
pub mod time;

pub mod value;
pub mod config;
pub mod units;

pub mod path;
pub mod matcher;
pub mod client_ip;
pub mod key;
