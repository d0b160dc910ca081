//! What pictures are called: names that follow the bytes, are counted, and that the system can hold.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use repaint::{ImageInput, ImageSource, MediaType, Result};

use crate::output::invalid;

/// What a picture is called when nothing else names it.
pub(crate) const NAME: &str = "repaint";

/// Extensions that say what kind of picture a file is; any other is a part of its name.
const KINDS: [&str; 11] =
    ["png", "jpg", "jpeg", "jpe", "webp", "gif", "bmp", "tif", "tiff", "avif", "heic"];

/// The extension follows the bytes: `x.png` with JPEG in it is an `x.jpg`.
pub(crate) fn with_extension(path: &Path, kind: Option<MediaType>) -> PathBuf {
    let Some(kind) = kind else { return path.with_extension("bin") };
    let extension = path.extension().map(|it| it.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some(it) if it == kind.extension() => path.to_path_buf(),
        Some("jpeg" | "jpe") if kind.extension() == "jpg" => path.to_path_buf(),
        Some("tif") if kind.extension() == "tiff" => path.to_path_buf(),
        Some(it) if !KINDS.contains(&it) => {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".{}", kind.extension()));
            name.into()
        }
        Some(_) | None => path.with_extension(kind.extension()),
    }
}

/// Fails for an extension that says of no kind of picture that it is meant.
pub(crate) fn known(path: &Path) -> Result<()> {
    let Some(extension) = path.extension() else { return Ok(()) };
    let extension = extension.to_string_lossy().to_lowercase();
    if KINDS.contains(&extension.as_str()) {
        return Ok(());
    }
    let name = path.display();
    Err(invalid(format!(
        "{name}: `.{extension}` is no kind of picture; name a .png, .jpg or .webp, or say with --format \
         which it is to be"
    )))
}

/// The first keeps the name, the next are `-2`, `-3` and so on.
pub(crate) fn numbered(path: &Path, index: usize) -> PathBuf {
    if index == 0 {
        return path.to_path_buf();
    }
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{}", index + 1));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// `cat.png` becomes `cat-repainted` in the folder where one is.
pub(crate) fn named_after(first: Option<&ImageInput>) -> PathBuf {
    let stem = match first.map(ImageInput::source) {
        Some(ImageSource::File(path)) => path.file_stem(),
        _ => None,
    };
    let Some(stem) = stem else { return PathBuf::from(NAME) };
    let mut name = stem.to_owned();
    name.push("-repainted.png");
    name.into()
}

/// Why Windows can have no file of that name, or would write to something else than a file.
///
/// ref: <https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file>
pub(crate) fn not_on_windows(name: &OsStr) -> Option<&'static str> {
    const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
    let name = name.to_string_lossy();
    // `aux.tar.png` is the device, too, and blanks before the dot change nothing.
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_uppercase();
    let port = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"));
    let mut number = port.unwrap_or_default().chars();
    let is_port =
        matches!((number.next(), number.next()), (Some('0'..='9' | '¹' | '²' | '³'), None));
    if DEVICES.contains(&stem.as_str()) || is_port {
        return Some("is a device on Windows, whatever its extension is");
    }
    if name.contains(['<', '>', ':', '"', '|', '?', '*']) || name.contains(char::is_control) {
        return Some("has a character that no name has on Windows: none of < > : \" | ? *");
    }
    name.ends_with(['.', ' ']).then_some("ends with a dot or a blank, which Windows leaves out")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_follows_the_bytes() {
        for (wanted, got) in [
            ("a.png", "a.png"),
            ("a.jpg", "a.png"),
            ("a", "a.png"),
            ("a.v2", "a.v2.png"),
            ("a.PNG", "a.PNG"),
        ] {
            assert_eq!(with_extension(Path::new(wanted), Some(MediaType::Png)), Path::new(got));
        }
    }

    #[test]
    fn names_that_windows_keeps_for_itself_are_known_on_every_system() {
        for name in [
            "con",
            "NUL.png",
            "aux.tar.gz",
            "Prn .png",
            "com1.png",
            "LPT9",
            "com².png",
            "CONOUT$",
            "a:b.png",
            "what?.png",
            "a.",
            "a ",
        ] {
            assert!(not_on_windows(OsStr::new(name)).is_some(), "{name}");
        }
        for name in [
            "console.png",
            "con-2.png",
            "com10.png",
            "com.png",
            "a.con",
            "nul-repainted.png",
            "ä.png",
        ] {
            assert_eq!(not_on_windows(OsStr::new(name)), None, "{name}");
        }
        // What we call pictures ourselves never is one of them.
        for stem in ["con", "aux", "com1"] {
            let image = ImageInput::file(format!("{stem}.png"));
            let name = named_after(Some(&image));
            assert_eq!(not_on_windows(name.as_os_str()), None, "{name:?}");
        }
    }
}
