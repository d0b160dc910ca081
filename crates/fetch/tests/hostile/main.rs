//! What strangers try: with addresses, with names, and with the servers behind them.

mod addresses;
mod scripted;
mod servers;
