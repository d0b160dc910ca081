//! The offers that run here, as a user meets them: what a mask keeps, what is refused, what repeats.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use image::{ImageFormat, Luma, Rgb, RgbImage, Rgba, RgbaImage};
use tempfile::TempDir;

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");

/// A red picture with a green right half, a mask with a soft edge, and a small mask.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let shade = |y: u32| 120 + (y % 100) as u8;
    let picture = RgbImage::from_fn(120, 100, |x, y| match x < 60 {
        true => Rgb([shade(y), 30, 30]),
        false => Rgb([30, shade(y), 40]),
    });
    picture.save(folder.path().join("picture.png")).expect("written");
    // White up to 20, black from 40, and between them a slope.
    let mask = image::GrayImage::from_fn(120, 100, |x, _| {
        Luma([255 - (x.clamp(20, 40) - 20) as u8 * 12 - u8::from(39 < x) * 15])
    });
    mask.save(folder.path().join("mask.png")).expect("written");
    image::GrayImage::new(60, 50).save(folder.path().join("small.png")).expect("written");
    folder
}

fn run(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_repaint"));
    command.current_dir(folder).stdin(Stdio::null()).args(args);
    for name in ["TOGETHER_API_KEY", "BFL_API_KEY"] {
        command.env_remove(name);
    }
    command.env("REPAINT_CONFIG", "none").env("REPAINT_STORE", "none");
    command.output().expect("the program runs")
}

/// What is said of an edit that succeeds.
fn edited(folder: &Path, args: &[&str]) -> String {
    let output = run(folder, &[&["edit"], args].concat());
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.success(), "{said}");
    said
}

/// What is said of one that is refused.
fn refused(folder: &Path, args: &[&str]) -> String {
    let output = run(folder, args);
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(3), "{said}");
    said
}

fn open(folder: &Path, name: &str) -> RgbImage {
    image::open(folder.join(name)).expect("a picture").to_rgb8()
}

#[test]
fn with_a_mask_exactly_what_is_masked_changes_and_its_soft_edge_is_kept() {
    let folder = folder();
    let folder = folder.path();
    let prompt = "Replace the color of the car to blue";
    let args = ["picture.png", "--mask", "mask.png", "-p", prompt, "-m", "local/recolour"];
    let said = edited(folder, &[&args[..], &["-o", "blue.png"]].concat());
    assert!(said.contains("the mask alone says what is changed"), "{said}");
    let (before, after) = (open(folder, "picture.png"), open(folder, "blue.png"));
    let mask = image::open(folder.join("mask.png")).expect("a picture").to_luma8();
    for ((old, new), part) in before.pixels().zip(after.pixels()).zip(mask.pixels()) {
        match part.0 {
            [0] => assert_eq!(old, new, "beside the mask nothing changes"),
            [255] => assert!(new[0] < new[2], "in it all is blue: {new:?}"),
            _ => {}
        }
    }
    // From old to new without a jump.
    let blues: Vec<u8> = (20..=40).map(|x| after[(x, 50)][2]).collect();
    assert!(blues.iter().rev().is_sorted(), "{blues:?}");
    assert!(blues.windows(2).all(|it| it[0] - it[1] < 30), "{blues:?}");
}

#[test]
fn without_a_mask_a_colour_is_changed_and_the_receipt_warns_that_it_is_no_object() {
    let folder = folder();
    let folder = folder.path();
    let prompt = "Replace the red with blue";
    let said =
        edited(folder, &["picture.png", "-p", prompt, "-m", "local/recolour", "-o", "blue.png"]);
    assert!(said.contains("it selects a colour and not an object: whatever is red"), "{said}");
    assert!(said.contains("50 % of the picture"), "{said}");
    let (before, after) = (open(folder, "picture.png"), open(folder, "blue.png"));
    for (x, y, new) in after.enumerate_pixels() {
        match x < 60 {
            true => assert!(new[0] < new[2], "{new:?}"),
            false => assert_eq!(new, before.get_pixel(x, y)),
        }
    }
}

#[test]
fn a_mask_of_another_size_is_refused_in_the_plan_with_both_sizes() {
    let folder = folder();
    let folder = folder.path();
    let args = ["picture.png", "--mask", "small.png", "-p", "make it blue", "-m", "local/recolour"];
    let wanted = "takes a mask of its image's size, not 60x50 (small.png) for 120x100 \
                  (picture.png): make the mask 120x100";
    let said = refused(folder, &[&["edit"], &args[..], &["-o", "blue.png"]].concat());
    assert!(said.contains(wanted), "{said}");
    assert!(!folder.join("blue.png").exists());
    let explained = run(folder, &[&["explain"], &args[..]].concat());
    let shown = String::from_utf8(explained.stdout).expect("text");
    assert!(shown.contains("takes a mask of its image's size"), "{shown}");
}

#[test]
fn equal_seeds_give_equal_bytes_and_others_another_painting() {
    let folder = folder();
    let folder = folder.path();
    for (seed, name) in [("7", "a.png"), ("7", "b.png"), ("8", "c.png")] {
        let args = ["picture.png", "-p", "watercolor", "-m", "local/watercolor", "--seed", seed];
        edited(folder, &[&args[..], &["-o", name]].concat());
    }
    let bytes = |name: &str| fs::read(folder.join(name)).expect("a picture");
    assert_eq!(bytes("a.png"), bytes("b.png"));
    assert_ne!(bytes("a.png"), bytes("c.png"));
}

#[test]
fn one_image_for_a_palette_is_refused_with_what_it_takes_and_who_would_take_one() {
    let prompt = "Use the colors of image 2 on image 1";
    let folder = folder();
    let said =
        refused(folder.path(), &["edit", "picture.png", "-p", prompt, "-m", "local/palette"]);
    assert!(said.contains("local/palette takes 2 input images, not 1: add 1, or use "), "{said}");
    assert!(said.contains("kontext") && said.contains("flux2"), "{said}");
}

#[test]
fn nine_images_for_a_collage_are_refused_and_eight_are_laid_out() {
    let folder = folder();
    let folder = folder.path();
    let collage = |count: usize| {
        let images = vec!["picture.png"; count];
        let rest = ["-p", "a collage", "-m", "local/collage", "-o", "collage.png"];
        [&images[..], &rest].concat()
    };
    let said = refused(folder, &[&["edit"], &collage(9)[..]].concat());
    assert!(said.contains("local/collage takes 2 to 8 input images, not 9: drop 1"), "{said}");
    edited(folder, &collage(8));
    assert!(400 < open(folder, "collage.png").height());
}

#[test]
fn a_collage_shows_the_order_of_its_images() {
    let folder = folder();
    let folder = folder.path();
    for (name, colour) in [("red.png", [200, 0, 0]), ("blue.png", [0, 0, 200])] {
        RgbImage::from_pixel(90, 60, Rgb(colour)).save(folder.join(name)).expect("written");
    }
    let first = |images: [&str; 2], name: &str| {
        let rest = ["-p", "show them side by side", "-m", "local/collage", "-o", name];
        edited(folder, &[&images[..], &rest].concat());
        let sheet = open(folder, name);
        // Well inside the left one, below its number.
        sheet[(sheet.width() / 4, sheet.height() * 3 / 4)].0
    };
    assert_eq!(first(["red.png", "blue.png"], "a.png"), [200, 0, 0]);
    assert_eq!(first(["blue.png", "red.png"], "b.png"), [0, 0, 200]);
}

#[test]
fn what_is_transparent_stays_transparent() {
    let folder = folder();
    let folder = folder.path();
    let clear = RgbaImage::from_fn(80, 60, |x, y| {
        Rgba([180, 40, 30 + y as u8, if x < 40 { 0 } else { 90 + x as u8 }])
    });
    clear.save(folder.join("clear.png")).expect("written");
    let alphas = |it: &RgbaImage| it.pixels().map(|it| it[3]).collect::<Vec<_>>();
    for (images, prompt, offer) in [
        (vec!["clear.png"], "watercolor", "local/watercolor"),
        (vec!["clear.png"], "make it blue", "local/recolour"),
        (vec!["clear.png", "picture.png"], "use the colors of image 2 on image 1", "local/palette"),
    ] {
        let name = format!("{}.png", offer.replace('/', "-"));
        edited(folder, &[&images[..], &["-p", prompt, "-m", offer, "-o", &name]].concat());
        let made = image::open(folder.join(&name)).expect("a picture");
        assert!(made.color().has_alpha(), "{offer}");
        assert_eq!(alphas(&made.to_rgba8()), alphas(&clear), "{offer}");
    }
}

/// On a photograph, as the book shows it: the bowl and not the fig in it.
#[test]
fn a_bowl_is_recoloured_and_the_fig_in_it_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    for name in ["bowl.jpg", "bowl-mask.png"] {
        fs::copy(Path::new(EXAMPLES).join(name), folder.join(name)).expect("copied");
    }
    let args =
        ["bowl.jpg", "--mask", "bowl-mask.png", "-p", "make it blue", "-m", "local/recolour"];
    edited(folder, &[&args[..], &["-o", "blue.png"]].concat());
    let bytes = fs::read(folder.join("blue.png")).expect("a picture");
    assert_eq!(image::guess_format(&bytes).expect("a picture"), ImageFormat::Png);
    let (before, after) = (open(folder, "bowl.jpg"), open(folder, "blue.png"));
    let mask = image::open(folder.join("bowl-mask.png")).expect("a mask").to_luma8();
    let mut changed = [0_u32, 0];
    for ((old, new), part) in before.pixels().zip(after.pixels()).zip(mask.pixels()) {
        match part.0 {
            [0] => assert_eq!(old, new),
            [255] => changed[usize::from(new[0] < new[2])] += 1,
            _ => {}
        }
    }
    assert!(changed[0] * 50 < changed[1], "{changed:?} of the bowl are not blue and blue");
}
