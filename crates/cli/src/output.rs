//! Where pictures go: a place that is found and reserved before anything is sent, and filled whole.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use repaint::{Error, ErrorKind, Image, ImageInput, ImageSource, MediaType, Result};
use tempfile::NamedTempFile;

use crate::ask;

/// A reserved place for the pictures of a job.
///
/// It holds a file in the very folder, so that what can fail fails before a picture is bought; dropping
/// it unused leaves nothing behind.
#[derive(Debug)]
pub(crate) enum Output {
    /// Standard output.
    Stdout,
    /// Files in a folder.
    Files {
        path: PathBuf,
        force: bool,
        reserved: NamedTempFile,
        /// How many pictures of other jobs have a name from the same path.
        before: usize,
    },
}

/// What a picture is called when nothing else names it.
const NAME: &str = "repaint";

impl Output {
    /// Finds and reserves the place. `wanted` is what the caller named; else the name follows the first
    /// image.
    pub(crate) fn reserve(
        wanted: Option<&Path>,
        force: bool,
        count: u32,
        first: Option<&ImageInput>,
    ) -> Result<Self> {
        if wanted == Some(Path::new("-")) {
            if io::stdout().is_terminal() {
                return Err(invalid(
                    "a picture is not printed to a terminal: redirect standard output",
                ));
            }
            if count != 1 {
                return Err(invalid("standard output takes one picture; name a file for more"));
            }
            return Ok(Self::Stdout);
        }
        let path = wanted.map_or_else(|| named_after(first), Path::to_path_buf);
        if wanted.is_some() && !force && !path.is_dir() && path.symlink_metadata().is_ok() {
            let name = path.display();
            return Err(invalid(format!(
                "{name} is there already: name another file, or use --force"
            )));
        }
        Self::hold(path, force && wanted.is_some())
    }

    /// The same for a name of our own choice, which may be taken: the picture then gets a number.
    pub(crate) fn hold(path: PathBuf, force: bool) -> Result<Self> {
        let name = path.display();
        let text = path.as_os_str().to_string_lossy();
        if text.ends_with(std::path::MAIN_SEPARATOR) && !path.is_dir() {
            return Err(invalid(format!(
                "there is no folder {name}: make it first, and name a file in it"
            )));
        }
        if path.is_dir() {
            return Err(invalid(format!(
                "{name} is a folder; name a file in it, such as {}",
                path.join("picture.png").display()
            )));
        }
        if path.file_name().is_none() {
            return Err(invalid(format!("{name} names no file")));
        }
        let folder = folder(&path);
        if !folder.is_dir() {
            return Err(invalid(format!("there is no folder {}: make it first", folder.display())));
        }
        let reserved = part(folder).map_err(|err| {
            invalid(format!("nothing can be written to {}: {}", folder.display(), ask::why(&err)))
        })?;
        Ok(Self::Files { path, force, reserved, before: 0 })
    }

    /// The same place for the pictures that come after so many of other jobs.
    #[must_use]
    pub(crate) fn after(self, pictures: usize) -> Self {
        match self {
            Self::Stdout => self,
            Self::Files { path, force, reserved, before: _ } => {
                Self::Files { path, force, reserved, before: pictures }
            }
        }
    }

    /// The names that so many pictures would get as things are, of the kind that is asked for; but the
    /// extension follows the bytes. `taken` are names that others will have by then.
    pub(crate) fn names(
        &self,
        count: u32,
        kind: Option<MediaType>,
        taken: &mut BTreeSet<PathBuf>,
    ) -> Vec<PathBuf> {
        let Self::Files { path, force, before, .. } = self else { return Vec::new() };
        let path = &match kind {
            None => path.clone(),
            media_type => with_extension(
                path,
                &Image { media_type, bytes: Default::default(), address: None },
            ),
        };
        let mut name = |index| {
            let wanted = numbered(path, before + index);
            let is_free = |it: &PathBuf| {
                let overwritten = *force && it == path;
                !taken.contains(it) && (overwritten || it.symlink_metadata().is_err())
            };
            let free = (0..).map(|it| numbered(&wanted, it)).find(is_free).unwrap_or(wanted);
            taken.insert(free.clone());
            free
        };
        (0..count as usize).map(&mut name).collect()
    }

    /// The file that holds the place, to be removed where no destructor runs.
    pub(crate) fn reserved(&self) -> Option<PathBuf> {
        match self {
            Self::Stdout => None,
            Self::Files { reserved, .. } => Some(reserved.path().to_path_buf()),
        }
    }

    /// Writes all pictures, each whole or not at all, and says of each where it is.
    ///
    /// A paid picture is saved whatever happens: if its place is gone, in the folder for temporary
    /// files.
    pub(crate) fn save(self, images: &[Image]) -> Vec<io::Result<Saved>> {
        match self {
            Self::Stdout => {
                let file = |index| numbered(Path::new(NAME), index);
                let saved = images.iter().enumerate().map(|(index, image)| {
                    // Standard output holds one picture; another would spoil it.
                    let printed =
                        if index == 0 { print(image) } else { Err(io::Error::other("taken")) };
                    printed.or_else(|_| rescue(image, &with_extension(&file(index), image)))
                });
                saved.collect()
            }
            Self::Files { path, force, reserved, before } => {
                let mut reserved = Some(reserved);
                let saved = images.iter().enumerate().map(|(index, image)| {
                    let wanted = numbered(&with_extension(&path, image), before + index);
                    // Leave to overwrite was given for the very name, and for no other.
                    let force = force && wanted == path;
                    let file = reserved.take().map_or_else(|| part(folder(&path)), Ok);
                    let written = file.and_then(|file| write(file, image, &wanted, force));
                    written.map(Saved::File).or_else(|_| rescue(image, &wanted))
                });
                saved.collect()
            }
        }
    }
}

/// Where a picture is.
#[derive(Debug, PartialEq)]
pub(crate) enum Saved {
    Stdout,
    File(PathBuf),
}

impl Saved {
    /// Its file, if it is in one.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Stdout => None,
            Self::File(path) => Some(path),
        }
    }
}

/// A file that is to become a picture; with the rights of any new file, not only for its owner.
fn part(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".repaint-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

fn print(image: &Image) -> io::Result<Saved> {
    let mut out = io::stdout().lock();
    out.write_all(&image.bytes)?;
    out.flush()?;
    Ok(Saved::Stdout)
}

/// Fills the file and gives it its name; a name that was taken meanwhile gets a number.
fn write(
    mut file: NamedTempFile,
    image: &Image,
    wanted: &Path,
    force: bool,
) -> io::Result<PathBuf> {
    file.write_all(&image.bytes)?;
    file.as_file().sync_all()?;
    if force {
        file.persist(wanted).map_err(|err| err.error)?;
        return Ok(wanted.to_path_buf());
    }
    for number in 0.. {
        let place = numbered(wanted, number);
        match file.persist_noclobber(&place) {
            Ok(_) => return Ok(place),
            Err(err) if err.error.kind() == io::ErrorKind::AlreadyExists => file = err.file,
            Err(err) => return Err(err.error),
        }
    }
    Err(io::Error::other("no name is free"))
}

fn rescue(image: &Image, wanted: &Path) -> io::Result<Saved> {
    let name = wanted.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut file =
        tempfile::Builder::new().prefix("repaint-").suffix(&format!("-{name}")).tempfile()?;
    file.write_all(&image.bytes)?;
    let (_, path) = file.keep().map_err(|err| err.error)?;
    Ok(Saved::File(path))
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// The extension follows the bytes: `x.png` with JPEG in it is an `x.jpg`.
fn with_extension(path: &Path, image: &Image) -> PathBuf {
    let Some(kind) = image.media_type else { return path.with_extension("bin") };
    let extension = path.extension().map(|it| it.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some(it) if it == kind.extension() => path.to_path_buf(),
        Some("jpeg" | "jpe") if kind.extension() == "jpg" => path.to_path_buf(),
        Some("tif") if kind.extension() == "tiff" => path.to_path_buf(),
        Some(
            "png" | "jpg" | "jpeg" | "webp" | "gif" | "bmp" | "tif" | "tiff" | "avif" | "heic",
        )
        | None => path.with_extension(kind.extension()),
        // `portrait.v2` has no extension that means a kind of picture.
        Some(_) => {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".{}", kind.extension()));
            name.into()
        }
    }
}

/// The first keeps the name, the next are `-2`, `-3` and so on.
fn numbered(path: &Path, index: usize) -> PathBuf {
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

pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

    #[test]
    fn the_extension_follows_the_bytes() {
        let image = Image::new(PNG.into());
        for (wanted, got) in [
            ("a.png", "a.png"),
            ("a.jpg", "a.png"),
            ("a", "a.png"),
            ("a.v2", "a.v2.png"),
            ("a.PNG", "a.PNG"),
        ] {
            assert_eq!(with_extension(Path::new(wanted), &image), Path::new(got));
        }
    }

    #[test]
    fn nothing_is_left_of_a_place_that_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let place = Output::reserve(Some(&folder.path().join("a.png")), false, 1, None).unwrap();
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
        drop(place);
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn a_name_that_was_taken_meanwhile_gets_a_number() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = folder.path().join("a.png");
        let place = Output::reserve(Some(&wanted), false, 1, None).unwrap();
        fs::write(&wanted, "somebody else's").unwrap();
        let image = Image::new(PNG.into());
        let saved: Vec<Saved> = place.save(&[image.clone(), image]).into_iter().flatten().collect();
        let names = ["a-2.png", "a-2-2.png"].map(|it| Saved::File(folder.path().join(it)));
        assert_eq!(saved, names);
        assert_eq!(fs::read(&wanted).unwrap(), b"somebody else's");
    }

    #[test]
    fn a_picture_whose_folder_is_gone_is_saved_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("gone");
        fs::create_dir(&gone).unwrap();
        let place = Output::reserve(Some(&gone.join("a.png")), false, 1, None).unwrap();
        fs::remove_dir_all(&gone).unwrap();
        let saved = place.save(&[Image::new(PNG.into())]);
        let Ok(Saved::File(saved)) = &saved[0] else { panic!("{saved:?}") };
        assert_eq!(fs::read(saved).unwrap(), PNG);
        fs::remove_file(saved).unwrap();
    }

    #[test]
    fn leave_to_overwrite_is_for_the_very_name() {
        let folder = tempfile::tempdir().unwrap();
        let (named, other) = (folder.path().join("a.jpg"), folder.path().join("a.png"));
        fs::write(&named, "mine").unwrap();
        fs::write(&other, "mine too").unwrap();
        let place = Output::reserve(Some(&named), true, 1, None).unwrap();
        let saved = place.save(&[Image::new(PNG.into())]);
        assert!(
            matches!(&saved[0], Ok(Saved::File(path)) if *path == folder.path().join("a-2.png"))
        );
        assert_eq!(fs::read(&other).unwrap(), b"mine too");
        let place = Output::reserve(Some(&other), true, 1, None).unwrap();
        place.save(&[Image::new(PNG.into())]);
        assert_eq!(fs::read(&other).unwrap(), PNG);
    }
}
