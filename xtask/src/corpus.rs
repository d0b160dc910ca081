//! Writes the corpus for validators and encoders in other languages.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use repaint_core::{ImageModel, Job, Registry};
use repaint_schema::{named, request_path, request_schema};
use repaint_testkit::{Corpus, SEED};
use serde_json::{Value, json};

/// So many bodies of all offers, and as many jobs as one of them has, with the verdict of the schema and that of
/// the validator. At least two in five are valid, or the comparison would be thin.
pub(crate) fn values(count: &str, file: &Path) -> Result<(), String> {
    let count: usize =
        count.parse().map_err(|_| format!("`{count}` is no number of lines such as 20000"))?;
    let registry = Registry::linked().map_err(|err| err.to_string())?;
    let hosted: Vec<&dyn ImageModel> = registry.models().filter(|it| it.wire().is_some()).collect();
    let each = count.div_ceil(hosted.len());
    let (mut text, mut valid, mut lines) = (String::new(), 0, 0);
    let mut write = |path: &str,
                     offer: Option<&str>,
                     schema: &Value,
                     corpus: Corpus,
                     verdict: &dyn Fn(&Value) -> bool| {
        let validator = jsonschema::validator_for(schema).map_err(|err| err.to_string())?;
        for body in corpus.take(each) {
            let (schema_valid, is_valid) = (validator.is_valid(&body), verdict(&body));
            let line = json!({
                "schema": path,
                "offer": offer,
                "schema_valid": schema_valid,
                "valid": is_valid,
                "body": body,
            });
            writeln!(text, "{line}").map_err(|err| err.to_string())?;
            valid += usize::from(is_valid);
            lines += 1;
        }
        Ok::<(), String>(())
    };
    for (index, model) in hosted.iter().enumerate() {
        let Some(schema) = request_schema(*model) else { continue };
        let corpus = Corpus::of_bodies(*model, schema.clone(), SEED + index as u64);
        let verdict = |body: &Value| model.validate(body).is_empty();
        write(&request_path(*model), Some(model.id()), &schema, corpus, &verdict)?;
    }
    let schema = named("job").ok_or("there is no schema of a job")?;
    let corpus = Corpus::of(schema.clone(), SEED);
    // Images that cannot be read are the library's affair: no schema can say it.
    let verdict = |job: &Value| {
        Job::validate(job).iter().all(|it| it.code == repaint_core::RefusalCode::Unreadable)
    };
    write("job.schema.json", None, &schema, corpus, &verdict)?;
    if valid * 5 < lines * 2 {
        return Err(format!("only {valid} of {lines} values are valid: the comparison is thin"));
    }
    fs::write(file, text).map_err(|err| format!("{}: {err}", file.display()))?;
    println!("{lines} values, {valid} of them valid");
    Ok(())
}

/// Jobs that each offer takes, with the body that it is sent.
pub(crate) fn jobs(file: &Path) -> Result<(), String> {
    let registry = Registry::linked().map_err(|err| err.to_string())?;
    let (mut text, mut lines) = (String::new(), 0);
    for model in registry.models() {
        let Some(schema) = request_schema(model) else { continue };
        for (job, body) in repaint_testkit::jobs(model, &schema) {
            let line = json!({ "offer": model.id(), "job": job, "body": body });
            writeln!(text, "{line}").map_err(|err| err.to_string())?;
            lines += 1;
        }
    }
    fs::write(file, text).map_err(|err| format!("{}: {err}", file.display()))?;
    println!("{lines} jobs");
    Ok(())
}
