//! Where pictures go: a place that is found and reserved before anything is sent, and filled whole.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use repaint::{Error, ErrorKind, Image, ImageInput, MediaType, Result};
use tempfile::NamedTempFile;

use crate::ask;
use crate::names::{NAME, named_after, not_on_windows, numbered, with_extension};

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
            if is_nowhere() {
                return Err(invalid(
                    "standard output is closed or goes nowhere, and the picture would be lost: name a file",
                ));
            }
            if count != 1 {
                return Err(invalid("standard output takes one picture; name a file for more"));
            }
            return Ok(Self::Stdout);
        }
        let path = wanted.map_or_else(|| named_after(first), Path::to_path_buf);
        is_file(&path)?;
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
        let Some(file) = path.file_name() else {
            return Err(invalid(format!("{name} names no file")));
        };
        if let Some(why) = not_on_windows(file).filter(|_| cfg!(windows)) {
            return Err(invalid(format!("{name} {why}: name another file")));
        }
        is_file(&path)?;
        let folder = folder(&path);
        if !folder.is_dir() {
            let folder = folder.display();
            return Err(invalid(format!("{name}: there is no folder {folder}: make it first")));
        }
        let reserved = part(folder).map_err(|err| {
            let folder = folder.display();
            invalid(format!("{name}: nothing can be written to {folder}: {}", ask::why(&err)))
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

    /// Whether both would have one name.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let place = |it: &Self| match it {
            Self::Stdout => None,
            Self::Files { path, .. } => {
                Some((folder(path).canonicalize().ok()?, path.file_name()?.to_owned()))
            }
        };
        place(self).is_some_and(|it| place(other) == Some(it))
    }

    /// The same place without leave to overwrite what was just saved.
    #[must_use]
    pub(crate) fn sparing(mut self, saved: &[PathBuf]) -> Self {
        if let Self::Files { path, force, .. } = &mut self {
            *force &= !saved.iter().any(|it| it == path);
        }
        self
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
            kind => with_extension(path, kind),
        };
        let is_free = |it: &PathBuf| {
            let overwritten = *force && it == path;
            !taken.contains(it) && (overwritten || it.symlink_metadata().is_err())
        };
        // One count for all: a number that is taken is left out.
        let free = (*before..).map(|it| numbered(path, it)).filter(is_free);
        let names: Vec<PathBuf> = free.take(count as usize).collect();
        taken.extend(names.iter().cloned());
        names
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
                let saved = images.iter().enumerate().map(|(index, image)| {
                    // Standard output holds one picture; another would spoil it.
                    let printed =
                        if index == 0 { print(image) } else { Err(io::Error::other("taken")) };
                    let name = with_extension(&numbered(Path::new(NAME), index), image.media_type);
                    printed.or_else(|why| rescue(image, &name, None, &why))
                });
                saved.collect()
            }
            Self::Files { path, force, reserved, before } => {
                let (mut reserved, mut next) = (Some(reserved), before);
                let saved = images.iter().map(|image| {
                    let wanted = with_extension(&path, image.media_type);
                    // Leave to overwrite was given for the very name, and for no other.
                    let force = force && next == 0 && wanted == path;
                    let file = reserved.take().map_or_else(|| part(folder(&path)), Ok);
                    let written =
                        file.and_then(|file| write(file, image, &wanted, force, &mut next));
                    written
                        .map(Saved::File)
                        .or_else(|why| rescue(image, &numbered(&wanted, next), Some(&wanted), &why))
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
    /// In the folder for temporary files, since nothing could be written where it was to go.
    Rescued {
        path: PathBuf,
        /// Where it was to go; nothing stands for standard output.
        wanted: Option<PathBuf>,
        why: String,
    },
}

impl Saved {
    /// Its file, if it is in one.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Stdout => None,
            Self::File(path) | Self::Rescued { path, .. } => Some(path),
        }
    }

    /// Whether it is where it was to go.
    pub(crate) fn is_in_place(&self) -> bool {
        match self {
            Self::Stdout | Self::File(_) => true,
            Self::Rescued { .. } => false,
        }
    }
}

/// Fails for what is there and no regular file: a rename would put the picture in its place.
pub(crate) fn is_file(path: &Path) -> Result<()> {
    let Ok(data) = path.metadata() else { return Ok(()) };
    let is_device = path.starts_with("/dev") && !path.starts_with("/dev/shm") && !data.is_dir();
    if is_device || !(data.is_file() || data.is_dir()) {
        return Err(invalid(format!(
            "{} is a device or a pipe, and no file: name a file, or `-` for standard output",
            path.display()
        )));
    }
    Ok(())
}

/// Whether what is printed is lost. Where standard output is closed, the null device stands in for it
/// before our first line runs.
#[cfg(unix)]
fn is_nowhere() -> bool {
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;
    let ours = io::stdout().as_fd().try_clone_to_owned().map(fs::File::from);
    let ours = ours.and_then(|it| it.metadata()).map(|it| it.rdev());
    let null = fs::metadata("/dev/null").map(|it| it.rdev());
    matches!((ours, null), (Ok(ours), Ok(null)) if ours == null)
}

#[cfg(not(unix))]
fn is_nowhere() -> bool {
    false
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

/// Fills the file and gives it the next name that is free; one that is taken is left out.
fn write(
    mut file: NamedTempFile,
    image: &Image,
    wanted: &Path,
    force: bool,
    next: &mut usize,
) -> io::Result<PathBuf> {
    file.write_all(&image.bytes)?;
    file.as_file().sync_all()?;
    if force {
        file.persist(wanted).map_err(|err| err.error)?;
        *next += 1;
        return Ok(wanted.to_path_buf());
    }
    for number in *next.. {
        let place = numbered(wanted, number);
        *next = number + 1;
        match file.persist_noclobber(&place) {
            Ok(_) => return Ok(place),
            Err(err) if err.error.kind() == io::ErrorKind::AlreadyExists => file = err.file,
            Err(err) => return Err(err.error),
        }
    }
    Err(io::Error::other("no name is free"))
}

/// Saves it where a file can be, whatever is wrong with its place.
fn rescue(image: &Image, name: &Path, wanted: Option<&Path>, why: &io::Error) -> io::Result<Saved> {
    let name = name.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut file =
        tempfile::Builder::new().prefix("repaint-").suffix(&format!("-{name}")).tempfile()?;
    file.write_all(&image.bytes)?;
    // Its order is closed when it is safe.
    file.as_file().sync_all()?;
    let (_, path) = file.keep().map_err(|err| err.error)?;
    Ok(Saved::Rescued { path, wanted: wanted.map(Path::to_path_buf), why: ask::why(why) })
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

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
        let names = ["a-2.png", "a-3.png"].map(|it| Saved::File(folder.path().join(it)));
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
        let Ok(Saved::Rescued { path: saved, .. }) = &saved[0] else { panic!("{saved:?}") };
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
