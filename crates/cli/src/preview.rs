//! `--show`: a picture in the terminal, in the way that this terminal understands.
//!
//! By hand, and not by a library: those that know all four ways cost twenty crates or have a licence that
//! not all our users can take, and each way is a few lines.

use std::env;
use std::io::{self, IsTerminal};

use repaint::Image;

use crate::args::Way;
use crate::show;

/// Shows pictures, or says why not: never where standard output is no terminal.
pub(crate) fn pictures(way: Way, images: &[Image]) {
    if way != Way::Never && !io::stdout().is_terminal() {
        show::said("not shown: standard output is no terminal");
        return;
    }
    let way = match way {
        Way::Never => return,
        Way::Auto => match understood(&|name| env::var(name).ok()) {
            Some(way) => way,
            None => {
                show::said(
                    "not shown: NO_COLOR is set, and this terminal shows pictures only by colours",
                );
                return;
            }
        },
        named => named,
    };
    for image in images {
        if let Err(why) = drawn(way, image) {
            show::said(&format!("a picture is not shown: {why}"));
        }
    }
}

/// What a terminal says of itself in the environment. It could be asked, but an answer that comes late
/// would be typed into the shell.
fn understood(env: &dyn Fn(&str) -> Option<String>) -> Option<Way> {
    let set = |name: &str| env(name).is_some_and(|it| !it.is_empty());
    let (term, program) =
        (env("TERM").unwrap_or_default(), env("TERM_PROGRAM").unwrap_or_default());
    // A multiplexer passes no pictures on, whatever terminal it was started in.
    let multiplexed = set("TMUX") || set("STY") || set("ZELLIJ");
    let way = match program.as_str() {
        _ if multiplexed => Way::Blocks,
        _ if set("KITTY_WINDOW_ID") || term == "xterm-kitty" => Way::Kitty,
        "ghostty" => Way::Kitty,
        _ if set("KONSOLE_VERSION") => Way::Kitty,
        "iTerm.app" | "WezTerm" | "mintty" | "rio" => Way::Iterm,
        _ if ["foot", "mlterm", "yaft", "contour"].iter().any(|it| term.starts_with(it)) => {
            Way::Sixel
        }
        // Windows Terminal, since 1.22.
        _ if set("WT_SESSION") => Way::Sixel,
        _ => Way::Blocks,
    };
    (way != Way::Blocks || !set("NO_COLOR")).then_some(way)
}

#[cfg(not(feature = "pictures"))]
fn drawn(_: Way, _: &Image) -> Result<(), String> {
    Err("this program was built without `pictures`".to_owned())
}

#[cfg(feature = "pictures")]
fn drawn(way: Way, image: &Image) -> Result<(), String> {
    use std::io::Write;

    /// What a character takes of a screen, where the terminal does not say.
    const CHARACTER: (u32, u32) = (9, 18);
    /// A preview is no more than this part of the screen.
    const ROWS: u32 = 24;

    let size = terminal_size::terminal_size();
    let (columns, rows) = size.map_or((80, 24), |(width, height)| (width.0, height.0));
    let (columns, rows) =
        (u32::from(columns).max(1), u32::from(rows).saturating_sub(2).clamp(1, ROWS));
    let picture = crate::picture::decoded(&image.bytes)?;
    let fitted = |width, height| crate::picture::fitted(&picture, width, height);
    let pixels = || fitted(columns * CHARACTER.0, rows * CHARACTER.1);
    let text = match way {
        Way::Kitty => ways::kitty(&png(&pixels())?),
        Way::Iterm => ways::iterm(&png(&pixels())?),
        Way::Sixel => ways::sixel(&crate::picture::opaque(&pixels())),
        Way::Auto | Way::Blocks | Way::Never => {
            let full = env::var("COLORTERM").is_ok_and(|it| it == "truecolor" || it == "24bit");
            ways::blocks(&crate::picture::opaque(&fitted(columns, rows * 2)), full)
        }
    };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|err| err.to_string())
}

#[cfg(feature = "pictures")]
fn png(picture: &image::DynamicImage) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let written = picture.write_to(&mut io::Cursor::new(&mut bytes), image::ImageFormat::Png);
    written.map(|()| bytes).map_err(|err| err.to_string())
}

/// The four ways, as texts that a terminal shows as pictures.
#[cfg(feature = "pictures")]
mod ways {
    use std::collections::BTreeSet;
    use std::fmt::Write;

    use base64_simd::STANDARD;
    use image::{Rgb, RgbImage};

    /// ref: <https://sw.kovidgoyal.net/kitty/graphics-protocol/>, "Remote client": at most 4096 bytes at
    /// a time; `q=2` asks for no answer.
    pub(super) fn kitty(png: &[u8]) -> String {
        let base64 = STANDARD.encode_to_string(png);
        let mut text = String::new();
        let mut rest = base64.as_str();
        let mut control = "a=T,f=100,q=2,";
        loop {
            let (part, more) = rest.split_at(rest.len().min(4096));
            let _ = write!(text, "\x1b_G{control}m={};{part}\x1b\\", u8::from(!more.is_empty()));
            if more.is_empty() {
                break;
            }
            (rest, control) = (more, "q=2,");
        }
        text.push('\n');
        text
    }

    /// ref: <https://iterm2.com/documentation-images.html>
    pub(super) fn iterm(png: &[u8]) -> String {
        let (size, base64) = (png.len(), STANDARD.encode_to_string(png));
        format!("\x1b]1337;File=inline=1;size={size}:{base64}\x07\n")
    }

    /// Sixels in 216 colours, with an ordered dither.
    ///
    /// ref: <https://vt100.net/docs/vt3xx-gp/chapter14.html>
    pub(super) fn sixel(picture: &RgbImage) -> String {
        let (width, height) = picture.dimensions();
        let mut text = format!("\x1bPq\"1;1;{width};{height}");
        for colour in 0..216 {
            let percent = |level: u32| level * 20;
            let (red, green, blue) = (colour / 36, colour / 6 % 6, colour % 6);
            let (red, green, blue) = (percent(red), percent(green), percent(blue));
            let _ = write!(text, "#{colour};2;{red};{green};{blue}");
        }
        for top in (0..height).step_by(6) {
            let rows = top..height.min(top + 6);
            let band: Vec<Vec<u32>> = rows
                .map(|y| (0..width).map(|x| dithered(picture[(x, y)], x, y)).collect())
                .collect();
            let colours: BTreeSet<u32> = band.iter().flatten().copied().collect();
            for colour in colours {
                let _ = write!(text, "#{colour}");
                let sixels = (0..width as usize).map(|x| {
                    let bits =
                        band.iter().enumerate().map(|(y, row)| u8::from(row[x] == colour) << y);
                    char::from(63 + bits.sum::<u8>())
                });
                runs(&mut text, sixels);
                text.push('$');
            }
            text.push('-');
        }
        text.push_str("\x1b\\\n");
        text
    }

    /// Which of the 216 colours a pixel gets.
    fn dithered(Rgb(levels): Rgb<u8>, x: u32, y: u32) -> u32 {
        const BAYER: [[u32; 4]; 4] = [[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]];
        let more = BAYER[(y % 4) as usize][(x % 4) as usize];
        let level = |it: u8| (u32::from(it) * 5 * 16 + more * 255 + 127) / (255 * 16);
        levels.iter().fold(0, |colour, it| colour * 6 + level(*it).min(5))
    }

    /// Equal sixels in a row are counted: `!12~`.
    fn runs(text: &mut String, sixels: impl Iterator<Item = char>) {
        let mut sixels = sixels.peekable();
        while let Some(sixel) = sixels.next() {
            let mut count = 1;
            while sixels.next_if_eq(&sixel).is_some() {
                count += 1;
            }
            if 3 < count {
                let _ = write!(text, "!{count}{sixel}");
            } else {
                text.extend(std::iter::repeat_n(sixel, count));
            }
        }
    }

    /// The upper half of a character has its colour, the lower half is its ground.
    pub(super) fn blocks(picture: &RgbImage, full: bool) -> String {
        let colour = |Rgb([red, green, blue]): Rgb<u8>| {
            if full {
                return format!("2;{red};{green};{blue}");
            }
            let level = |it: u8| (u32::from(it) * 5 + 127) / 255;
            format!("5;{}", 16 + 36 * level(red) + 6 * level(green) + level(blue))
        };
        let mut text = String::new();
        for y in (0..picture.height()).step_by(2) {
            for x in 0..picture.width() {
                let upper = colour(picture[(x, y)]);
                let _ = match picture.get_pixel_checked(x, y + 1) {
                    Some(lower) => write!(text, "\x1b[38;{upper};48;{}m▀", colour(*lower)),
                    None => write!(text, "\x1b[0;38;{upper}m▀"),
                };
            }
            text.push_str("\x1b[0m\n");
        }
        text
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_large_picture_goes_to_kitty_in_parts() {
            let text = kitty(&[7; 9000]);
            let parts: Vec<&str> = text.trim_end().split_terminator("\x1b\\").collect();
            assert_eq!(parts.len(), 3);
            assert!(parts[0].starts_with("\x1b_Ga=T,f=100,q=2,m=1;"));
            assert!(
                parts[1].starts_with("\x1b_Gq=2,m=1;") && parts[2].starts_with("\x1b_Gq=2,m=0;")
            );
            let base64: String =
                parts.iter().filter_map(|it| it.split_once(';')).map(|it| it.1).collect();
            assert_eq!(STANDARD.decode_to_vec(base64).unwrap(), [7; 9000]);
        }

        #[test]
        fn sixels_say_the_size_and_have_each_row_once() {
            let text = sixel(&RgbImage::from_pixel(20, 7, Rgb([255, 0, 0])));
            assert!(text.starts_with("\x1bPq\"1;1;20;7#0;2;0;0;0"), "{text}");
            // Six rows of red, and one more.
            assert!(text.contains("#180!20~$-#180!20@$-\x1b\\"), "{text}");
        }

        #[test]
        fn half_blocks_show_two_rows_a_line_and_end_their_colours() {
            let mut picture = RgbImage::from_pixel(1, 3, Rgb([255; 3]));
            picture[(0, 1)] = Rgb([0; 3]);
            let full =
                "\x1b[38;2;255;255;255;48;2;0;0;0m▀\x1b[0m\n\x1b[0;38;2;255;255;255m▀\x1b[0m\n";
            assert_eq!(blocks(&picture, true), full);
            assert!(blocks(&picture, false).starts_with("\x1b[38;5;231;48;5;16m▀"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_known_by_what_it_sets() {
        let way = |set: &[(&str, &str)]| {
            understood(&|name| set.iter().find(|it| it.0 == name).map(|it| it.1.to_owned()))
        };
        assert_eq!(way(&[("TERM", "xterm-kitty")]), Some(Way::Kitty));
        assert_eq!(way(&[("TERM_PROGRAM", "iTerm.app"), ("NO_COLOR", "1")]), Some(Way::Iterm));
        assert_eq!(way(&[("TERM", "foot-extra")]), Some(Way::Sixel));
        assert_eq!(way(&[("TERM_PROGRAM", "WezTerm"), ("TMUX", "/tmp/x")]), Some(Way::Blocks));
        assert_eq!(way(&[("TERM", "xterm-256color")]), Some(Way::Blocks));
        assert_eq!(way(&[("TERM", "xterm-256color"), ("NO_COLOR", "1")]), None);
    }
}
