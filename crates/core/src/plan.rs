//! Who would take a job, in which order, and why all others would not.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    Adaptation, Admitted, Bounds, Date, Error, ErrorKind, Estimate, ImageModel, Instructions, Job,
    Later, Provider, Refusal, RefusalCode, Registry, Result, Terms, Warning, WarningCode,
};

/// Who would take a job. Holds ids and no witness: who takes it admits it anew.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Plan {
    /// Offers that take the job, in the order in which they would be tried.
    pub candidates: Later<Candidate>,
    /// Every other offer, with all its reasons.
    pub refusals: Later<OfferRefusals>,
}

/// An offer that takes a job.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Candidate {
    /// The offer.
    pub offer: String,
    /// What would be changed of the request.
    pub adaptations: Vec<Adaptation>,
    /// How many calls it takes: more than one where it makes fewer pictures a call than are wanted.
    pub calls: u32,
    /// What it may cost, all calls together.
    pub estimate: Estimate,
    /// What the caller should know.
    pub warnings: Vec<Warning>,
}

/// An offer that does not take a job.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct OfferRefusals {
    /// The offer.
    pub offer: String,
    /// All reasons.
    pub reasons: Vec<Refusal>,
}

impl Registry {
    /// Decides about every offer. Pure: `has_key` says for which providers there is a key.
    ///
    /// A job that selects nothing goes to hosted offers with a key, the cheapest first; to a local
    /// offer only where no hosted one has a key. Among those selected, offers with a key come first.
    ///
    /// # Errors
    ///
    /// Fails if the job selects a name that stands for nothing.
    pub fn plan(
        &self,
        job: &Job,
        has_key: &dyn Fn(&Provider) -> bool,
        today: Date,
    ) -> Result<Plan> {
        if job.request.prompt.trim().is_empty() {
            let message = "the prompt is empty: say what to draw or to change";
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        let mut selected = Vec::new();
        for name in &job.select {
            selected.extend(self.resolve(name)?.into_iter().map(ImageModel::id));
        }
        let any_key = self.models().any(|it| is_hosted(it) && has_key(it.provider()));
        let (mut candidates, mut refusals) = (Vec::new(), Vec::new());
        for model in self.models() {
            let named = selected.contains(&model.id());
            let keyed = !is_hosted(model) || has_key(model.provider());
            let mut reasons = Vec::new();
            if !job.select.is_empty() && !named {
                let refusal = Refusal::by_rule(RefusalCode::NotAsked, "select");
                reasons.push(refusal.saying("was not asked for", format!("select {}", model.id())));
            }
            if !named && !keyed {
                reasons.push(no_key(model));
            }
            if job.select.is_empty() && !is_hosted(model) && any_key {
                let refusal = Refusal::by_rule(RefusalCode::NotAsked, "select");
                let message =
                    "is local, and taken only where it is named or no hosted model has a key";
                reasons.push(refusal.saying(message, format!("select {}", model.id())));
            }
            let terms = Terms { adapt: &job.policy.adapt, today };
            match model.admit(&job.request, terms) {
                Ok(admitted) => {
                    reasons.extend(over_budget(&admitted, job));
                    if reasons.is_empty() {
                        candidates.push((keyed, candidate(&admitted, keyed)));
                    }
                }
                Err(more) => reasons.extend(more),
            }
            if !reasons.is_empty() {
                refusals.push(OfferRefusals { offer: model.id().to_owned(), reasons });
            }
        }
        candidates.sort_by(|(a_keyed, a), (b_keyed, b)| {
            let order = |it: &Candidate| (it.estimate.high, it.estimate.low);
            b_keyed.cmp(a_keyed).then(order(a).cmp(&order(b))).then(a.offer.cmp(&b.offer))
        });
        let candidates: Vec<Candidate> = candidates.into_iter().map(|it| it.1).collect();
        self.name_alternatives(&job.request.prompt, &mut refusals);
        Ok(Plan { candidates: Later::new(|| candidates), refusals: Later::new(|| refusals) })
    }

    /// Adds to each "too many images" and "too few" who would take so many, with such a prompt.
    fn name_alternatives(&self, prompt: &str, refusals: &mut [OfferRefusals]) {
        let understands = |it: &dyn ImageModel| match it.capabilities().instructions.value {
            Instructions::Any => true,
            Instructions::Closed(vocabulary) => vocabulary.read(prompt).is_ok(),
        };
        let able: Vec<&dyn ImageModel> = self.models().filter(|it| understands(*it)).collect();
        for OfferRefusals { offer, reasons } in refusals {
            for reason in reasons.iter_mut().filter(|it| it.field == "images") {
                let Some(got) = reason.got.as_u64() else { continue };
                let takes = |it: Bounds<u32>| match reason.code {
                    // Who takes more takes so many, unless it wants more still.
                    RefusalCode::TooMany | RefusalCode::Unsupported => got <= u64::from(it.max),
                    RefusalCode::TooFew => {
                        (1..).contains(&got) && (u64::from(it.min)..=it.max.into()).contains(&got)
                    }
                    _ => false,
                };
                let mut others: Vec<String> = Vec::new();
                // Another offer of the same place needs no other key.
                let place = self.get(offer).map(|it| it.provider().id);
                let (here, there): (Vec<&dyn ImageModel>, Vec<&dyn ImageModel>) =
                    able.iter().copied().partition(|it| Some(it.provider().id) == place);
                for model in here.into_iter().chain(there) {
                    let range = model.capabilities().images.value;
                    let other = format!("{} ({})", model.offer().model, range.max);
                    if takes(range) && !others.contains(&other) {
                        others.push(other);
                    }
                }
                others.truncate(3);
                if !others.is_empty() {
                    reason.fix = format!("{}, or use {}", reason.fix, others.join(" or "));
                }
            }
        }
    }
}

impl Plan {
    /// The offer to try first, or an error that has every reason of those that were asked.
    pub fn first(&self) -> Result<&Candidate> {
        self.candidates.first().ok_or_else(|| self.nobody())
    }

    fn nobody(&self) -> Error {
        let not_asked =
            |it: &&OfferRefusals| it.reasons.iter().any(|it| it.code == RefusalCode::NotAsked);
        let against: Vec<&OfferRefusals> =
            self.refusals.iter().filter(|it| !not_asked(it) && !it.could()).collect();
        let mut message = match against.as_slice() {
            [only] => format!("{} {}", only.offer, only.said()),
            [] => "no model can take this request as things are".to_owned(),
            many => {
                let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
                for refused in many {
                    let said = refused.said();
                    match groups.iter_mut().find(|(it, _)| *it == said) {
                        Some((_, offers)) => offers.push(&refused.offer),
                        None => groups.push((said, vec![&refused.offer])),
                    }
                }
                let lines =
                    groups.iter().map(|(said, offers)| format!("\n  {} {said}", offers.join(", ")));
                format!("no model can take this request{}", lines.collect::<String>())
            }
        };
        for (how, offers) in self.could() {
            message.push_str(&format!("\n{how} to use {}", offers.join(", ")));
        }
        let refusals = against.iter().flat_map(|it| it.reasons.clone()).collect();
        Error::new(ErrorKind::Refused, message).with(|it| {
            it.refusals = refusals;
            if let [only] = against.as_slice() {
                it.offer = Some(only.offer.clone());
            }
        })
    }

    /// Who could take the job and is not asked, by what it would need: a key, or to be named.
    pub fn could(&self) -> Vec<(String, Vec<&str>)> {
        let mut ways: Vec<(String, Vec<&str>)> = Vec::new();
        for OfferRefusals { offer, reasons } in self.refusals.iter().filter(|it| it.could()) {
            let key = reasons.iter().find(|it| it.code == RefusalCode::NoKey);
            let way = key.map_or_else(|| "name it with --model".to_owned(), |it| it.fix.clone());
            match ways.iter_mut().find(|(it, _)| *it == way) {
                Some((_, offers)) => offers.push(offer),
                None => ways.push((way, vec![offer])),
            }
        }
        ways
    }
}

impl OfferRefusals {
    /// The reasons that are about the request itself, in words.
    pub fn said(&self) -> String {
        let idle = [RefusalCode::NotAsked, RefusalCode::NoKey];
        let reasons = self.reasons.iter().filter(|it| !idle.contains(&it.code));
        reasons.map(ToString::to_string).collect::<Vec<_>>().join("; it ")
    }

    /// Whether nothing in the request itself speaks against it.
    pub fn could(&self) -> bool {
        let idle = |it: &Refusal| matches!(it.code, RefusalCode::NotAsked | RefusalCode::NoKey);
        self.reasons.iter().all(idle)
    }
}

fn candidate(admitted: &Admitted<'_>, keyed: bool) -> Candidate {
    let model = admitted.model();
    let mut warnings = admitted.warnings().to_vec();
    if !keyed {
        let message = no_key(model).to_string();
        warnings.push(Warning::new(WarningCode::NoKey, None, format!("{} {message}", model.id())));
    }
    Candidate {
        offer: model.id().to_owned(),
        adaptations: admitted.adaptations().to_vec(),
        calls: 1,
        estimate: admitted.estimate(),
        warnings,
    }
}

fn over_budget(admitted: &Admitted<'_>, job: &Job) -> Option<Refusal> {
    let (most, estimate) = (job.policy.max_cost?, admitted.estimate());
    if estimate.high <= most {
        return None;
    }
    let mut refusal = Refusal::by_rule(RefusalCode::OverBudget, "policy/max_cost");
    refusal.limit = most.0.into();
    refusal.got = estimate.high.0.into();
    let fix = format!("allow {}, or ask for fewer or smaller pictures", estimate.high);
    Some(refusal.saying(format!("may cost {estimate}, more than {most}"), fix))
}

fn no_key(model: &dyn ImageModel) -> Refusal {
    let env = model.provider().endpoint.as_ref().map_or("", |it| it.auth.env);
    Refusal::by_rule(RefusalCode::NoKey, "select").saying("has no key", format!("set {env}"))
}

fn is_hosted(model: &dyn ImageModel) -> bool {
    model.provider().endpoint.is_some()
}
