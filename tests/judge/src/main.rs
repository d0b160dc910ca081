//! Whether a JSON Schema may take the place of another: `judge received|sent`, with both schemas as a
//! list on standard input, the old one first; the verdict is a line of JSON.

use std::error::Error;

use jsoncompat::{Role, SchemaDocument, analyze_compat};
use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    let role = match std::env::args().nth(1).as_deref() {
        Some("received") => Role::Deserializer,
        Some("sent") => Role::Serializer,
        _ => return Err("usage: judge received|sent, with [OLD, NEW] on standard input".into()),
    };
    let (old, new): (Value, Value) = serde_json::from_reader(std::io::stdin())?;
    let (old, new) = (SchemaDocument::from_json(&old)?, SchemaDocument::from_json(&new)?);
    println!("{}", serde_json::to_string(&analyze_compat(&old, &new, role)?)?);
    Ok(())
}
