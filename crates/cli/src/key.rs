//! `repaint key`: a key for somebody who may call `repaint serve`.

use repaint::Result;
use repaint_callers::NewKey;
use repaint_schema::printed::MadeKey;
use secrecy::ExposeSecret;

use crate::args::Key;
use crate::show;

pub(crate) fn run(args: &Key) -> Result<()> {
    let new = NewKey::make()?;
    let entry = new.entry(&args.name)?;
    let key = new.key.expose_secret();
    if args.json {
        let (name, hash) = (args.name.clone(), new.hash.to_string());
        show::json(&MadeKey { name, key: key.to_owned(), hash, entry });
        return Ok(());
    }
    show::said(&format!("the key of `{}`, shown only now: {key}", args.name));
    show::result(&entry);
    Ok(())
}
