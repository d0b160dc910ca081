//! Answers of a wiremock server, one after another.

use std::sync::Mutex;

use repaint_testkit::png;
use serde_json::{Value, json};
use wiremock::{Request, Respond, ResponseTemplate};

/// Gives these answers in turn, and the last one again and again.
pub fn in_turn(answers: impl IntoIterator<Item = ResponseTemplate>) -> impl Respond {
    let mut answers: Vec<ResponseTemplate> = answers.into_iter().collect();
    answers.reverse();
    Turns(Mutex::new(answers))
}

struct Turns(Mutex<Vec<ResponseTemplate>>);

impl Respond for Turns {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        let mut left = self.0.lock().expect("nobody panics here");
        if left.len() == 1 { left[0].clone() } else { left.pop().expect("an answer") }
    }
}

/// The bytes of a picture.
pub fn picture_answer(index: usize) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(png(64, 64, index), "image/png")
}

/// What Black Forest Labs answers to an order that it takes.
pub fn ticket(polling_url: &str) -> Value {
    json!({
        "id": "job-1", "polling_url": polling_url, "cost": 4.5, "input_mp": 1.0, "output_mp": 1.05
    })
}
